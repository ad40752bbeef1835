/*
 * itemset_fpgrowth.h: the miner FP-growth, of frequent sets; see itemset.h.
 */
#ifndef CRM_KERNEL_ITEMSET_FPGROWTH_H
#define CRM_KERNEL_ITEMSET_FPGROWTH_H

#include "kernel/itemset_prepare.h"
#include "kernel/itemset_search.h"

extern CrmStatus crm_itemset_fpgrowth(CrmItemsetSearch *search, const CrmItemsetRows *rows);

#endif
