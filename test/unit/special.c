/*
 * special.c: unit tests of base/special against values of mpmath with 40 digits: psi, loggamma,
 * beta, betainc.
 */
#include "kernel/base/special.h"
#include "tap.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

int
main(void)
{
	static const double psi[][3] = {
		{1e-6, -1000000.57721402, 1000000000001.645},
		{0.5, -1.9635100260214235, 4.9348022005446793},
		{1.5, 0.036489973978576521, 0.93480220054467931},
		{7.25, 1.910453526883736, 0.14787923315893217},
		{1000.5, 6.9077553206487964, 0.00099999991666669583},
		{1e8, 18.420680738952365, 1.000000005e-8},
	};
	static const double ratio[][5] = {
		{0.243, 1, -1.4146938356415886, 4.1152263374485598, 1.4146938356415886},
		{0.243, 100000, 1051289.1885700404, 15.864016759394303, -1.4795963835323076},
		{4.4, 29, 80.636819086656484, 2.129825662472134, -12.747075949474949},
		{1000000.0, 0.5, 6.9077551539821371, 5.00000125e-7, -6.335390211057437},
		{1e-05, 3, -10.819763284472783, 100001.4999875001, 11.512910465032728},
		{12345.678, 20, 188.43660833065125, 0.0016187548537431352, -149.09672414345176},
		{0.3, 2.5, -0.57909520283032873, 4.3430712110495502, 0.86377807330324789},
	};
	static const double cdf[][4] = {
		{10, 0.243, 0.3, -14.868286517463252},
		{2.5, 3.5, 0.9, -0.0021761389164059559},
		{1000, 0.5, 0.99, -11.818581744926845},
		{100000, 3, 0.9999, -5.8896179724739009},
	};

	for (size_t i = 0; i < COUNT(psi); i++)
	{
		is_near(crm_digamma(psi[i][0]), psi[i][1], 2e-15 * fmax(1.0, fabs(psi[i][1])), "digamma");
		is_close(crm_trigamma(psi[i][0]), psi[i][2], 4e-15, "trigamma");
	}
	for (size_t i = 0; i < COUNT(ratio); i++)
	{
		is_close(crm_log_gamma_ratio(ratio[i][0], ratio[i][1]), ratio[i][2], 1e-13, "ratio");
		is_close(crm_digamma_difference(ratio[i][0], ratio[i][1]), ratio[i][3], 1e-13,
				 "difference");
		is_close(crm_log_beta(ratio[i][0], ratio[i][1]), ratio[i][4], 1e-12, "log beta");
	}
	for (size_t i = 0; i < COUNT(cdf); i++)
		is_close(crm_log_beta_cdf(cdf[i][0], cdf[i][1], cdf[i][2], 1.0 - cdf[i][2]), cdf[i][3],
				 1e-10, "incomplete beta");
	is_close(crm_log1m_exp(-1e-20), log(1e-20), 1e-15, "ln(1 - e^x) near 0");
	is_close(crm_log1p_exp(800.0), 800.0, 0.0, "ln(1 + e^x) of a large x");
	is_close(crm_log_sum_exp(-1000.0, -1000.0), -1000.0 + log(2.0), 1e-15, "sum of tiny terms");
	ok(isnan(crm_digamma(0.0)) && isnan(crm_log_beta(-1.0, 1.0)), "outside the domain is NaN");
	return tap_done();
}
