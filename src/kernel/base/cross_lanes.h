/*
 * cross_lanes.h: the loops of cross.c for LANES rows at a time; see lanes.h.
 */
#define Lanes     CRM_LANES
#define NAME(fun) CRM_LANES_NAME(fun, LANES)
#define AT        CRM_LANES_AT

/* Sum the products of two columns and four into eight lanes for each pair. */
CRM_LANES_TARGET static void
NAME(tile)(const double *a, const double *b, double *lanes)
{
	for (int v = 0; v < CRM_LANES_ALL; v += LANES)
	{
		Lanes s00 = {0}, s01 = {0}, s02 = {0}, s03 = {0};
		Lanes s10 = {0}, s11 = {0}, s12 = {0}, s13 = {0};

		for (int i = v; i < ROWS; i += CRM_LANES_ALL)
		{
			Lanes a0 = AT(a + i), a1 = AT(a + ROWS + i);
			Lanes b0 = AT(b + i), b1 = AT(b + ROWS + i);
			Lanes b2 = AT(b + 2 * ROWS + i), b3 = AT(b + 3 * ROWS + i);

			s00 += a0 * b0;
			s01 += a0 * b1;
			s02 += a0 * b2;
			s03 += a0 * b3;
			s10 += a1 * b0;
			s11 += a1 * b1;
			s12 += a1 * b2;
			s13 += a1 * b3;
		}
		AT(lanes + 0 * CRM_LANES_ALL + v) = s00;
		AT(lanes + 1 * CRM_LANES_ALL + v) = s01;
		AT(lanes + 2 * CRM_LANES_ALL + v) = s02;
		AT(lanes + 3 * CRM_LANES_ALL + v) = s03;
		AT(lanes + 4 * CRM_LANES_ALL + v) = s10;
		AT(lanes + 5 * CRM_LANES_ALL + v) = s11;
		AT(lanes + 6 * CRM_LANES_ALL + v) = s12;
		AT(lanes + 7 * CRM_LANES_ALL + v) = s13;
	}
}

/* Combine n columns linearly. */
CRM_LANES_TARGET static void
NAME(combine)(const double *columns, int n, const double *factor, double *result)
{
	for (int i = 0; i < ROWS; i += CRM_LANES_ALL)
		for (int v = i; v < i + CRM_LANES_ALL; v += LANES)
		{
			Lanes sum = {0};

			for (int j = 0; j < n; j++)
				sum += AT(columns + j * ROWS + v) * factor[j];
			AT(result + v) = sum;
		}
}

#undef Lanes
#undef NAME
#undef AT
#undef LANES
