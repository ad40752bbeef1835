/*
 * dense.c: see dense.h.
 */
#include "kernel/base/dense.h"

#include <math.h>

/* True when column j takes part; dropped NULL: all do. */
static bool
is_kept(const unsigned char *dropped, int j)
{
	return dropped == NULL || !dropped[j];
}

/*
 * Replace the lower triangle of the symmetric a (row-major n x n) by its Cholesky factor; what
 * stands above the diagonal is neither read nor written. A pivot that is not above tolerance times
 * the diagonal element of a, or is NaN, has none: with dropped NULL that is CRM_SINGULAR (a is then
 * half done); else dropped[j] is set to 1, and row and column j of the factor to zero, and the
 * answer is CRM_OK. dropped has n flags, all written.
 */
CrmStatus
crm_cholesky(double *a, int n, double tolerance, unsigned char *dropped)
{
	for (int j = 0; j < n; j++)
	{
		double *row_j = a + (size_t) j * n;
		double whole = row_j[j];
		double pivot = whole;

		for (int k = 0; k < j; k++)
			pivot -= row_j[k] * row_j[k];
		if (!(pivot > 0.0 && pivot > tolerance * whole && pivot < INFINITY))
		{
			if (dropped == NULL)
				return CRM_SINGULAR;
			dropped[j] = 1;
			for (int k = 0; k <= j; k++)
				row_j[k] = 0.0;
			for (int i = j + 1; i < n; i++)
				a[(size_t) i * n + j] = 0.0;
			continue;
		}
		if (dropped != NULL)
			dropped[j] = 0;
		row_j[j] = sqrt(pivot);
		for (int i = j + 1; i < n; i++)
		{
			double *row_i = a + (size_t) i * n;
			double sum = row_i[j];

			for (int k = 0; k < j; k++)
				sum -= row_i[k] * row_j[k];
			row_i[j] = sum / row_j[j];
		}
	}
	return CRM_OK;
}

/*
 * Solve L L' x = b in place of b (n numbers), l as crm_cholesky left it with the same dropped (or
 * NULL). A dropped element of x is zero.
 */
void
crm_cholesky_solve(const double *l, int n, const unsigned char *dropped, double *b)
{
	for (int i = 0; i < n; i++)
	{
		double sum = b[i];

		if (!is_kept(dropped, i))
		{
			b[i] = 0.0;
			continue;
		}
		for (int k = 0; k < i; k++)
			sum -= l[(size_t) i * n + k] * b[k];
		b[i] = sum / l[(size_t) i * n + i];
	}
	for (int i = n - 1; i >= 0; i--)
	{
		double sum = b[i];

		if (!is_kept(dropped, i))
			continue;
		for (int k = i + 1; k < n; k++)
			sum -= l[(size_t) k * n + i] * b[k];
		b[i] = sum / l[(size_t) i * n + i];
	}
}

/*
 * Write the inverse of L L' (row-major n x n, both triangles), l as crm_cholesky left it with the
 * same dropped (or NULL). Rows and columns of dropped elements are zero.
 */
void
crm_cholesky_inverse(const double *l, int n, const unsigned char *dropped, double *inverse)
{
	/* Column j of the inverse solves L L' x = e_j; row j of the result holds it, by symmetry. */
	for (int j = 0; j < n; j++)
	{
		double *x = inverse + (size_t) j * n;

		for (int i = 0; i < n; i++)
			x[i] = i == j;
		crm_cholesky_solve(l, n, dropped, x);
	}
	for (int i = 0; i < n; i++)
		for (int j = 0; j < i; j++)
		{
			double mean = 0.5 * (inverse[(size_t) i * n + j] + inverse[(size_t) j * n + i]);

			inverse[(size_t) i * n + j] = inverse[(size_t) j * n + i] = mean;
		}
}

/*
 * Fold rows into the triangle: r (row-major n x n, upper; all zero at the start) becomes the factor
 * of the rows it stands for and those of the block, in which element (i, j) is block[j stride + i],
 * i below rows. The block is overwritten.
 */
void
crm_qr_add(double *r, int n, double *block, size_t rows, size_t stride)
{
	for (int j = 0; j < n; j++)
	{
		double *v = block + (size_t) j * stride;
		double *row = r + (size_t) j * n;
		double largest = 0.0;
		double norm = 0.0, head, length, scale;

		for (size_t i = 0; i < rows; i++)
			if (fabs(v[i]) > largest)
				largest = fabs(v[i]);
		if (largest == 0.0)
			continue;
		if (fabs(row[j]) > largest)
			largest = fabs(row[j]);

		/* The reflection I - 2 v v' / v'v sends (r_jj, column) to (-+length, 0). */
		head = row[j] / largest;
		for (size_t i = 0; i < rows; i++)
		{
			v[i] /= largest;
			norm += v[i] * v[i];
		}
		length = sqrt(head * head + norm);
		row[j] = head > 0.0 ? -length * largest : length * largest;
		head += head > 0.0 ? length : -length;
		scale = 2.0 / (head * head + norm);
		for (int k = j + 1; k < n; k++)
		{
			double *w = block + (size_t) k * stride;
			double product = head * row[k];

			for (size_t i = 0; i < rows; i++)
				product += v[i] * w[i];
			product *= scale;
			row[k] -= product * head;
			for (size_t i = 0; i < rows; i++)
				w[i] -= product * v[i];
		}
	}
}

/*
 * Find the collinear ones among the first p columns of the factor r (row-major n x n, upper), flag
 * them in dropped (p flags, all written), and bring the kept ones to triangular form again: kept
 * column number k then ends in row k. Columns from p on (responses) are carried along: their rows
 * from the rank on hold what the kept columns do not explain. Give the rank.
 */
int
crm_qr_reduce(double *r, int n, int p, double tolerance, unsigned char *dropped)
{
	int rank = 0;

	for (int j = 0; j < p; j++)
	{
		double whole = 0.0, rest = 0.0, norm = 0.0, head, length, scale;

		for (int i = 0; i < n; i++)
			whole = hypot(whole, r[(size_t) i * n + j]);
		for (int i = rank; i < n; i++)
			rest = hypot(rest, r[(size_t) i * n + j]);
		dropped[j] = !(rest > tolerance * whole && rest < INFINITY);
		if (dropped[j])
			continue;
		head = r[(size_t) rank * n + j] / rest;
		for (int i = rank + 1; i < n; i++)
		{
			r[(size_t) i * n + j] /= rest;
			norm += r[(size_t) i * n + j] * r[(size_t) i * n + j];
		}
		if (norm > 0.0)
		{
			length = sqrt(head * head + norm);
			r[(size_t) rank * n + j] = head > 0.0 ? -length * rest : length * rest;
			head += head > 0.0 ? length : -length;
			scale = 2.0 / (head * head + norm);
			for (int k = j + 1; k < n; k++)
			{
				double product = head * r[(size_t) rank * n + k];

				for (int i = rank + 1; i < n; i++)
					product += r[(size_t) i * n + j] * r[(size_t) i * n + k];
				product *= scale;
				r[(size_t) rank * n + k] -= product * head;
				for (int i = rank + 1; i < n; i++)
					r[(size_t) i * n + k] -= product * r[(size_t) i * n + j];
			}
		}
		for (int i = rank + 1; i < n; i++)
			r[(size_t) i * n + j] = 0.0;
		rank++;
	}
	return rank;
}

/*
 * Give the least-squares coefficients b (p numbers, zero where dropped) of column `response` of r
 * on its first p columns; r and dropped as crm_qr_reduce left them.
 */
void
crm_qr_solve(const double *r, int n, int p, const unsigned char *dropped, int response, double *b)
{
	int row = 0;

	for (int j = 0; j < p; j++)
		row += !dropped[j];
	for (int j = p - 1; j >= 0; j--)
	{
		double sum;

		b[j] = 0.0;
		if (dropped[j])
			continue;
		row--;
		sum = r[(size_t) row * n + response];
		for (int k = j + 1; k < p; k++)
			sum -= r[(size_t) row * n + k] * b[k];
		b[j] = sum / r[(size_t) row * n + j];
	}
}

/*
 * Write the inverse of X'X of the first p columns (row-major p x p, both triangles; zero where
 * dropped); r and dropped as crm_qr_reduce left them.
 */
void
crm_qr_inverse(const double *r, int n, int p, const unsigned char *dropped, double *inverse)
{
	/* R' w = e_c by forward, then R x = w by backward substitution, for each column c. */
	for (int c = 0; c < p; c++)
	{
		double *x = inverse + (size_t) c * p;
		int row = 0;

		for (int j = 0; j < p; j++)
		{
			double sum = j == c;
			int above = 0;

			x[j] = 0.0;
			if (dropped[j])
				continue;
			for (int k = 0; k < j; k++)
				if (!dropped[k])
					sum -= r[(size_t) above++ * n + j] * x[k];
			x[j] = sum / r[(size_t) row++ * n + j];
		}
		for (int j = p - 1; j >= 0; j--)
		{
			double sum = x[j];

			if (dropped[j])
				continue;
			row--;
			for (int k = j + 1; k < p; k++)
				sum -= r[(size_t) row * n + k] * x[k];
			x[j] = sum / r[(size_t) row * n + j];
		}
		if (dropped[c])
			for (int j = 0; j < p; j++)
				x[j] = 0.0;
	}
}
