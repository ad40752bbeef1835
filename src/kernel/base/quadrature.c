/*
 * quadrature.c: trapezoidal sums over a stretched line; see quadrature.h.
 */
#include <float.h>
#include <math.h>

#include "kernel/base/quadrature.h"

#define DEPTH       75.0 /* f falls by that much to the ends */
#define FIRST_NODES 32
#define MOST_NODES  16384
#define ENOUGH      1e-11 /* relative change that ends refining */
#define FAR         1e15

/* The rule of Gauss and Legendre on [0, 1]: zeros of P_12, computed with 40 digits. */
const double crm_gauss_node[CRM_GAUSS] = {
	0.00921968287664037465, 0.0479413718147625717, 0.115048662902847656, 0.206341022856691276,
	0.316084250500909903,   0.437383295744265542,  0.562616704255734458, 0.683915749499090097,
	0.793658977143308724,   0.884951337097152344,  0.952058628185237428, 0.990780317123359625};
const double crm_gauss_weight[CRM_GAUSS] = {
	0.0235876681932559136, 0.0534696629976592155, 0.0800391642716731132, 0.101583713361532961,
	0.116746268269177404,  0.124573522906701393,  0.124573522906701393,  0.116746268269177404,
	0.101583713361532961,  0.0800391642716731132, 0.0534696629976592155, 0.0235876681932559136};

/* The same of 8 nodes. */
const double crm_gauss_node_few[CRM_GAUSS_FEW] = {
	0.0198550717512318842, 0.10166676129318663,  0.237233795041835507, 0.408282678752175098,
	0.591717321247824902,  0.762766204958164493, 0.89833323870681337,  0.980144928248768116};
const double crm_gauss_weight_few[CRM_GAUSS_FEW] = {
	0.0506142681451881296, 0.111190517226687235, 0.156853322938943644, 0.181341891689180991,
	0.181341891689180991,  0.156853322938943644, 0.111190517226687235, 0.0506142681451881296};

static double
weigh(CrmLogWeight f, const void *user, double w)
{
	double value = f(user, w);

	return isnan(value) ? -INFINITY : value;
}

/* Give the distance from the mode at which f has fallen by depth, in the direction of sign. */
static double
reach(CrmLogWeight f, const void *user, const CrmPeak *peak, double sign, double depth, double step)
{
	double near = 0.0, far = step;

	while (far < FAR && weigh(f, user, peak->mode + sign * far) > peak->top - depth)
	{
		near = far;
		far *= 2.0;
	}
	/* within a tenth is near enough; towards the peak the scale may be far below the first step */
	for (int i = 0; i < 60 && far - near > 0.1 * far; i++)
	{
		double middle = 0.5 * (near + far);

		if (weigh(f, user, peak->mode + sign * middle) > peak->top - depth)
			near = middle;
		else
			far = middle;
	}
	return far;
}

/* Climb from the guess to near the mode: bracket it by doubled steps, then cut the bracket down. */
static void
climb(CrmLogWeight f, const void *user, double guess, CrmPeak *peak)
{
	const double golden = 0.38196601125010515;
	double step = 1.0, left, middle = guess, right;
	double top = weigh(f, user, middle), ahead = weigh(f, user, middle + step);
	double behind = weigh(f, user, middle - step);

	if (behind > ahead)
	{
		step = -step;
		ahead = behind;
	}
	left = middle - step;
	right = middle + step;
	while (ahead > top && fabs(step) < FAR)
	{
		left = middle;
		middle = right;
		top = ahead;
		step *= 2.0;
		right = middle + step;
		ahead = weigh(f, user, right);
	}
	for (int i = 0; i < 60; i++)
	{
		bool longer_right = fabs(right - middle) > fabs(middle - left);
		double next = middle + golden * ((longer_right ? right : left) - middle);
		double value = weigh(f, user, next);

		if (value > top)
		{
			*(longer_right ? &left : &right) = middle;
			middle = next;
			top = value;
		}
		else
			*(longer_right ? &right : &left) = next;
		/* at the mode f is flat: it is near enough when the bracket's ends are hardly lower */
		if (top - fmin(weigh(f, user, left), weigh(f, user, right)) < 0.1)
			break;
	}
	peak->mode = middle;
	peak->top = top;
}

/* Find where a weight lives, from a guess of its mode that may be far off. */
void
crm_peak_find(CrmLogWeight f, const void *user, double guess, CrmPeak *peak)
{
	double left, right;

	climb(f, user, guess, peak);
	left = reach(f, user, peak, -1.0, 1.0, 1.0);
	right = reach(f, user, peak, 1.0, 1.0, 1.0);
	peak->scale = fmin(left, right);
	peak->low = -asinh(reach(f, user, peak, -1.0, DEPTH, left) / peak->scale);
	peak->high = asinh(reach(f, user, peak, 1.0, DEPTH, right) / peak->scale);
}

/* Give w at v, and the weight there relative to the top, dw / dv included. */
static double
node(CrmLogWeight f, const void *user, const CrmPeak *peak, double v, double *w)
{
	double e = exp(fabs(v)), sinh_v = copysign(0.5 * (e - 1.0 / e), v);

	*w = peak->mode + peak->scale * sinh_v;
	return exp(weigh(f, user, *w) - peak->top) * 0.5 * (e + 1.0 / e);
}

/*
 * Give n nodes, n at most CRM_QUADRATURE_NODES, and weights that sum to 1: sum_i weight_i g(w_i) is
 * E[g] as far as n nodes go.
 */
void
crm_peak_nodes(CrmLogWeight f, const void *user, const CrmPeak *peak, int n, double *w,
			   double *weight)
{
	double step = (peak->high - peak->low) / n, sum = 0.0;

	for (int i = 0; i < n; i++)
		sum += weight[i] = node(f, user, peak, peak->low + (i + 0.5) * step, &w[i]);
	for (int i = 0; i < n; i++)
		weight[i] /= sum;
}

/* Sum e^f, and e^f g unless g is NULL, over n nodes at the middles of n equal parts of v. */
static void
sum_nodes(CrmLogWeight f, CrmTerm g, const void *user, const CrmPeak *peak, int n, double *sum,
		  double *sum_g)
{
	double step = (peak->high - peak->low) / n, total = 0.0, total_g = 0.0;

	for (int i = 0; i < n; i++)
	{
		double w, weight = node(f, user, peak, peak->low + (i + 0.5) * step, &w);

		total += weight;
		if (g != NULL && weight > 0.0)
			total_g += weight * g(user, w);
	}
	*sum = total / n;
	*sum_g = total_g / n;
}

/* Double the nodes until the integral, or the mean, stands still; both rules' middles alternate. */
static void
refine(CrmLogWeight f, CrmTerm g, const void *user, const CrmPeak *peak, double *integral,
	   CrmValue *mean)
{
	double sum, sum_g, old, change = INFINITY;

	sum_nodes(f, g, user, peak, FIRST_NODES, &sum, &sum_g);
	for (int n = FIRST_NODES; n < MOST_NODES && change > ENOUGH; n *= 3)
	{
		double more, more_g;

		/* the middles of 3 n parts hold those of n, so a rule of n nodes is checked by another */
		sum_nodes(f, g, user, peak, 3 * n, &more, &more_g);
		old = g != NULL ? sum_g / sum : sum;
		sum = more;
		sum_g = more_g;
		change = g != NULL ? fabs(sum_g / sum - old) / fabs(sum_g / sum) : fabs(sum - old) / sum;
		if (sum_g == 0.0 && g != NULL)
			change = 0.0;
	}
	*integral = sum * (peak->high - peak->low) * peak->scale;
	mean->value = g != NULL ? sum_g / sum : 1.0;
	mean->error = fabs(mean->value) * (change + 16.0 * DBL_EPSILON);
}

/* Give ln I and a bound of its error, that of rounding in f included. */
void
crm_integrate_log(CrmLogWeight f, const void *user, double guess, CrmValue *log_i)
{
	CrmPeak peak;
	CrmValue mean;
	double integral;

	crm_peak_find(f, user, guess, &peak);
	refine(f, NULL, user, &peak, &integral, &mean);
	log_i->value = peak.top + log(integral);
	log_i->error = mean.error + 4.0 * DBL_EPSILON * fabs(peak.top);
}

/* Give E[g] and a bound of its error, for g above zero. */
void
crm_expectation(CrmLogWeight f, CrmTerm g, const void *user, double guess, CrmValue *mean)
{
	CrmPeak peak;
	double integral;

	crm_peak_find(f, user, guess, &peak);
	refine(f, g, user, &peak, &integral, mean);
}
