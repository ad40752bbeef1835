/*
 * leukaemia.h: R's data set aml (survival of patients with acute myelogenous leukaemia; Miller
 * 1981): time, event, and whether treatment was not maintained.
 */
#ifndef CRM_TEST_LEUKAEMIA_H
#define CRM_TEST_LEUKAEMIA_H

#include "regression.h"

#define AML 23

/* lung.csv has 0 and 1, R's own data set 1 and 2 */
#define LUNG_CENSORED 0.5

static const double aml[AML][3] = {
	{9, 1, 0},  {13, 1, 0}, {13, 0, 0},  {18, 1, 0}, {23, 1, 0}, {28, 0, 0}, {31, 1, 0}, {34, 1, 0},
	{45, 0, 0}, {48, 1, 0}, {161, 0, 0}, {5, 1, 1},  {5, 1, 1},  {8, 1, 1},  {8, 1, 1},  {12, 1, 1},
	{16, 0, 1}, {23, 1, 1}, {27, 1, 1},  {30, 1, 1}, {33, 1, 1}, {43, 1, 1}, {45, 1, 1}};

#endif
