/*
 * itemset_filter.h: closed and maximal sets by their definitions, from all frequent sets.
 */
#ifndef CRM_KERNEL_ITEMSET_FILTER_H
#define CRM_KERNEL_ITEMSET_FILTER_H

#include "kernel/itemset_prepare.h"
#include "kernel/itemset_search.h"

extern CrmStatus crm_itemset_filter(CrmItemsetSearch *search, const CrmItemsetRows *rows);

#endif
