/*
 * Tests of kernel/cox_model.c: predictions by their definition, and the memory of a model.
 */
#include "tap.h"

#include "kernel/cox.h"

int
main(void)
{
	static const double times[3] = {1, 2, 5}, hazard[3] = {0.1, 0.3, 1.0};
	TapContext tap;
	CrmCtx *ctx = tap_context(&tap);
	CrmCoxParam param;
	CrmCoxModel model;

	is_close(crm_cox_predict(times, hazard, 3, 0, 0, 1), exp(-0.1), 1e-15, "at the first time");
	is_near(crm_cox_predict(times, hazard, 3, 0, 0, 0.5), 1, 0, "before it");
	is_close(crm_cox_predict(times, hazard, 3, log(2), 0, 4.9), exp(-0.6), 1e-15, "twice the risk");
	is_close(crm_cox_predict(times, hazard, 3, log(2), 1, 5), exp(-1.8), 1e-15,
			 "who has stayed until 1");
	is_close(crm_cox_predict(times, hazard, 3, 0.3, 0, 5),
			 crm_cox_predict(times, hazard, 3, 0.3, 0, 2) *
				 crm_cox_predict(times, hazard, 3, 0.3, 2, 5),
			 1e-15, "conditional probabilities multiply");
	is_near(crm_cox_predict(times, hazard, 3, 0, 9, 20), 1, 0, "after the last time nothing");
	is_near(crm_cox_predict(times, hazard, 3, 0, 4, 3), 1, 0, "the past is certain");
	is_near(crm_cox_predict(times, hazard, 0, 0, 0, 3), 1, 0, "no hazard");
	ok(isnan(crm_cox_predict(times, hazard, 3, NAN, 0, 3)), "NaN gives NaN");
	is_near(crm_cox_score((double[]){2, -1}, (double[]){1, 1}, (double[]){2, 3}, 2), 0, 0, "score");
	crm_cox_defaults(&param);
	ok(param.efron && param.max_iterations > 0 && param.tolerance > 0, "customary parameters");
	is_int(crm_cox_model_begin(ctx, 3, 5, &model), CRM_OK, "a model begins");
	ok(isnan(model.estimate[2]) && isnan(model.concordance) && model.covariance[8] == 0,
	   "without results");
	crm_cox_model_free(ctx, &model);
	is_clean(&tap, "model");
	tap.fail_at = tap.allocations + 4;
	is_int(crm_cox_model_begin(ctx, 3, 5, &model), CRM_NO_MEMORY, "no memory");
	crm_cox_model_free(ctx, &model);
	is_clean(&tap, "a model without memory");
	return tap_done();
}
