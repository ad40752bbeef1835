/*
 * logistic_lanes.h: the loops of logistic_pass.c for LANES rows at a time; see lanes.h.
 */
#define Lanes     CRM_LANES
#define Bits      CRM_LANES_BITS
#define NAME(fun) CRM_LANES_NAME(fun, LANES)
#define AT        CRM_LANES_AT

/* Give (x - mean) / scale for the rows of a full block. */
CRM_LANES_TARGET static void
NAME(standardise)(const double *x, double mean, double inverse, double *z)
{
	for (int i = 0; i < ROWS; i += LANES)
		AT(z + i) = (AT(x + i) - mean) * inverse;
}

/*
 * For a block of linear predictors and labels: tail = exp(-|eta|), the residual y - P, the weight
 * P (1 - P), and what a row's -log likelihood has besides log(1 + tail): max(-s, 0), s the
 * predictor signed by its label. Also the smallest s, lane by lane, and products of 1 + tail.
 */
CRM_LANES_TARGET static void
NAME(respond)(const double *eta, const double *y, Response *out)
{
	for (int v = 0; v < CRM_LANES_ALL; v += LANES)
	{
		Lanes product = CRM_LANES_OF(1.0), least = CRM_LANES_OF(INFINITY), hinges = {0};

		for (int i = v; i < ROWS; i += CRM_LANES_ALL)
		{
			Lanes e = AT(eta + i), sign = 2.0 * AT(y + i) - 1.0, s = sign * e;
			Lanes size = CRM_LANES_CHOOSE(Lanes, e < 0.0, -e, e);
			Lanes x = -CRM_LANES_CHOOSE(Lanes, size < MAX_ETA, size, CRM_LANES_OF(MAX_ETA));

			/* exp(x) = 2^k exp(r), |r| <= log(2) / 2, by Taylor's series */
			Lanes shifted = x * LOG2_E + ROUND, k = shifted - ROUND;
			Lanes r = (x - k * LOG_2_HIGH) - k * LOG_2_LOW;
			Lanes p = CRM_LANES_OF(1.0 / 6227020800.0);
			Lanes tail, hinge, sum, below, wrong;

			p = p * r + 1.0 / 479001600.0;
			p = p * r + 1.0 / 39916800.0;
			p = p * r + 1.0 / 3628800.0;
			p = p * r + 1.0 / 362880.0;
			p = p * r + 1.0 / 40320.0;
			p = p * r + 1.0 / 5040.0;
			p = p * r + 1.0 / 720.0;
			p = p * r + 1.0 / 120.0;
			p = p * r + 1.0 / 24.0;
			p = p * r + 1.0 / 6.0;
			p = p * r + 0.5;
			p = p * r + 1.0;
			p = p * r + 1.0;
			tail = (Lanes) ((Bits) p + ((Bits) shifted << 52));

			sum = 1.0 + tail;
			below = tail / sum; /* the smaller of P and 1 - P */
			hinge = 0.5 * (size - s);
			wrong = CRM_LANES_CHOOSE(Lanes, s < 0.0, 1.0 - below, below);
			AT(out->tail + i) = tail;
			AT(out->hinge + i) = hinge;
			AT(out->signed_eta + i) = s;
			AT(out->residual + i) = sign * wrong;
			AT(out->weight + i) = below / sum;
			product *= sum;
			hinges += hinge;
			least = CRM_LANES_CHOOSE(Lanes, s < least, s, least);
		}
		AT(out->product + v) = product;
		AT(out->hinges + v) = hinges;
		AT(out->least + v) = least;
	}
}

/* Give z w for the rows of a block. */
CRM_LANES_TARGET static void
NAME(weigh)(const double *z, const double *w, double *result)
{
	for (int i = 0; i < ROWS; i += LANES)
		AT(result + i) = AT(z + i) * AT(w + i);
}

#undef Lanes
#undef Bits
#undef NAME
#undef AT
#undef LANES
