/*
 * bgnbd_alive.h: a customer of BG/NBD or MBG/NBD who is alive, as its predictions see him.
 *
 *     lambda ~ Gamma(shape r + x, rate alpha + T),    p ~ Beta(a, b + y)
 */
#ifndef CRM_KERNEL_BGNBD_ALIVE_H
#define CRM_KERNEL_BGNBD_ALIVE_H

#include <math.h>

#include "kernel/base/special.h"
#include "kernel/bgnbd.h"

#define CRM_BGNBD_MOST 4096 /* counts that a sum over them may take */

typedef struct CrmBgnbdAlive
{
	double shape, rate, a, b;
	double horizon;
} CrmBgnbdAlive;

static inline CrmBgnbdAlive
crm_bgnbd_alive(const CrmBgnbd *model, double x, double t, double horizon)
{
	return (CrmBgnbdAlive){model->r + x, model->alpha + t, model->a, model->b + x + model->modified,
						   horizon};
}

/* Give about how many counts of orders matter in the horizon; infinite where P(none) vanishes. */
static inline double
crm_bgnbd_counts(const CrmBgnbdAlive *who)
{
	double tau = who->horizon / who->rate, mean = who->shape * tau;

	if (!(who->shape * log1p(tau) < 690.0))
		return INFINITY;
	return mean + 9.0 * sqrt(mean * (1.0 + tau)) + 40.0 * (1.0 + tau);
}

/* The log of the density of w = ln(p / (1 - p)), but for a constant. */
static inline double
crm_bgnbd_weigh_p(const void *user, double w)
{
	const CrmBgnbdAlive *who = user;

	return -who->a * crm_log1p_exp(-w) - who->b * crm_log1p_exp(w);
}

#endif
