/*
 * itemset_eclat.h: the miner Eclat; see itemset.h.
 */
#ifndef CRM_KERNEL_ITEMSET_ECLAT_H
#define CRM_KERNEL_ITEMSET_ECLAT_H

#include "kernel/itemset_prepare.h"
#include "kernel/itemset_search.h"

extern CrmStatus crm_itemset_eclat(CrmItemsetSearch *search, const CrmItemsetRows *rows);

#endif
