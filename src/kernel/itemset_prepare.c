/*
 * itemset_prepare.c: baskets become rows of frequent items; see itemset_prepare.h.
 *
 * Rows are transposed twice: the first time, each item lists its rows, the second time, in the
 * order of the items, each row gets its items. So rows are sorted without being sorted.
 */
#include "kernel/itemset_prepare.h"

#include <string.h>

#include "kernel/base/order.h"

#define POLL_ENTRIES ((uint64_t) 1 << 19)
#define NO_RANK      UINT32_MAX
#define NO_BASKET    UINT32_MAX

/* What is known of a code while baskets are read. */
typedef struct Code
{
	uint32_t rank; /* its support, at first */
	uint32_t seen; /* the last basket that had it */
} Code;

/* Count the baskets of each code, and give the entries of the largest basket. */
static CrmStatus
count_codes(CrmCtx *ctx, const CrmBaskets *baskets, Code *codes, uint64_t *largest)
{
	uint64_t polled = 0;

	*largest = 0;
	for (uint32_t i = 0; i < baskets->n_items; i++)
		codes[i] = (Code){0, NO_BASKET};
	for (uint32_t b = 0; b < baskets->n; b++)
	{
		uint64_t end = baskets->start[b + 1];

		if (end - baskets->start[b] > *largest)
			*largest = end - baskets->start[b];
		for (uint64_t j = baskets->start[b]; j < end; j++)
		{
			Code *code = &codes[baskets->items[j]];

			code->rank += code->seen != b;
			code->seen = b;
		}
		if (end + b - polled >= POLL_ENTRIES)
		{
			polled = end + b;
			if (crm_poll(ctx))
				return CRM_ABORTED;
		}
	}
	return CRM_OK;
}

/* Tell whether a code may be in a set. */
static bool
is_frequent(const CrmItemsetParam *param, const Code *codes, uint32_t code)
{
	return codes[code].rank >= param->min_count &&
		   (param->excluded == NULL || !param->excluded[code]);
}

/* Put the frequent codes in order; fill in code, count, first, n_branch. */
static CrmStatus
order_codes(CrmCtx *ctx, const CrmItemsetParam *param, const Code *codes, uint32_t n_items,
			CrmItemsetRows *rows)
{
	uint64_t *key = crm_allocate(ctx, rows->m, sizeof(uint64_t));
	uint32_t *index = crm_allocate(ctx, (size_t) rows->m * 2, sizeof(uint32_t)), m = 0;
	CrmStatus status = ctx->failure;

	if (key != NULL && index != NULL)
	{
		for (uint32_t i = 0; i < n_items; i++)
			if (is_frequent(param, codes, i))
			{
				bool is_late = param->required != NULL && !param->required[i];

				rows->n_branch += !is_late;
				rows->first[m] = i; /* for the moment */
				index[m] = m;
				key[m++] = (uint64_t) is_late << 32 | codes[i].rank;
			}
		status = crm_radix_sort_index(ctx, key, index, index + m, m);
		for (uint32_t k = 0; k < m && status == CRM_OK; k++)
		{
			rows->code[k] = rows->first[index[k]];
			rows->count[k] = codes[rows->code[k]].rank;
		}
	}
	crm_release(ctx, index, (size_t) rows->m * 2, sizeof(uint32_t));
	crm_release(ctx, key, rows->m, sizeof(uint64_t));
	return status;
}

/* Choose the frequent codes and make room for what is known of them. */
static CrmStatus
choose_codes(CrmCtx *ctx, const CrmBaskets *baskets, const CrmItemsetParam *param, Code *codes,
			 CrmItemsetRows *rows)
{
	uint64_t entries = 0;
	CrmStatus status;

	for (uint32_t i = 0; i < baskets->n_items; i++)
		if (is_frequent(param, codes, i))
		{
			rows->m++;
			entries += codes[i].rank;
		}
	if (entries + baskets->n >= CRM_ITEMSET_END)
	{
		ctx->wanted = SIZE_MAX;
		return ctx->failure = CRM_LIMIT;
	}
	rows->code = crm_allocate(ctx, (size_t) rows->m * 4, sizeof(uint32_t));
	if (rows->code == NULL)
		return ctx->failure;
	rows->count = rows->code + rows->m;
	rows->first = rows->count + rows->m;
	rows->last = rows->first + rows->m;
	if ((status = order_codes(ctx, param, codes, baskets->n_items, rows)) != CRM_OK)
		return status;
	for (uint32_t i = 0; i < baskets->n_items; i++)
		codes[i] = (Code){NO_RANK, NO_BASKET};
	for (uint32_t k = 0; k < rows->m; k++)
	{
		rows->first[k] = rows->last[k] = (uint32_t) rows->n_entries;
		rows->n_entries += rows->count[k];
		codes[rows->code[k]].rank = k;
	}
	return CRM_OK;
}

/* List each item's rows in occurrence, and set where each row begins in item. */
static CrmStatus
list_rows(CrmCtx *ctx, const CrmBaskets *baskets, Code *codes, uint32_t *kept, uint32_t *begin,
		  CrmItemsetRows *rows)
{
	uint64_t polled = 0;

	rows->n_item = 1;
	for (uint32_t b = 0; b < baskets->n; b++)
	{
		uint64_t end = baskets->start[b + 1];
		uint32_t length = 0, branches = 0;

		for (uint64_t j = baskets->start[b]; j < end; j++)
		{
			Code *code = &codes[baskets->items[j]];

			if (code->rank == NO_RANK || code->seen == b)
				continue;
			code->seen = b;
			branches += code->rank < rows->n_branch;
			kept[length++] = code->rank;
		}
		if (length >= 2 && branches > 0)
		{
			for (uint32_t i = 0; i < length; i++)
				rows->occurrence[rows->last[kept[i]]++] = rows->n;
			if (length > rows->longest)
				rows->longest = length;
			begin[rows->n++] = (uint32_t) rows->n_item;
			rows->n_item += length + 1;
		}
		if (end + b - polled >= POLL_ENTRIES)
		{
			polled = end + b;
			if (crm_poll(ctx))
				return CRM_ABORTED;
		}
	}
	return CRM_OK;
}

/* Fill the rows in the order of the items; an item's rows become its places in item. */
static CrmStatus
fill_rows(CrmCtx *ctx, uint32_t *begin, CrmItemsetRows *rows)
{
	uint64_t work = 0;

	rows->item[0] = CRM_ITEMSET_END;
	for (uint32_t k = 0; k < rows->m; k++)
	{
		for (uint32_t o = rows->first[k]; o < rows->last[k]; o++)
		{
			uint32_t place = begin[rows->occurrence[o]]++;

			rows->item[place] = k;
			rows->occurrence[o] = place;
			if (++work % POLL_ENTRIES == 0 && crm_poll(ctx))
				return CRM_ABORTED;
		}
	}
	for (uint32_t r = 0; r < rows->n; r++)
		rows->item[begin[r]] = CRM_ITEMSET_END;
	return CRM_OK;
}

/* Make the rows, once their items are chosen. */
static CrmStatus
make_rows(CrmCtx *ctx, const CrmBaskets *baskets, Code *codes, uint64_t largest,
		  CrmItemsetRows *rows)
{
	uint32_t *begin = crm_allocate(ctx, baskets->n, sizeof(uint32_t));
	uint32_t *kept = crm_allocate(ctx, largest, sizeof(uint32_t));
	CrmStatus status;

	rows->occurrence = crm_allocate(ctx, rows->n_entries, sizeof(uint32_t));
	if (begin == NULL || kept == NULL || rows->occurrence == NULL)
		status = ctx->failure;
	else
		status = list_rows(ctx, baskets, codes, kept, begin, rows);
	if (status == CRM_OK)
	{
		rows->item = crm_allocate(ctx, rows->n_item, sizeof(uint32_t));
		status = rows->item != NULL ? fill_rows(ctx, begin, rows) : ctx->failure;
	}
	crm_release(ctx, kept, largest, sizeof(uint32_t));
	crm_release(ctx, begin, baskets->n, sizeof(uint32_t));
	return status;
}

/*
 * Make the rows of baskets. On an error nothing is held: CRM_LIMIT (also when there are too many
 * entries to number), CRM_NO_MEMORY, CRM_ABORTED.
 */
CrmStatus
crm_itemset_prepare(CrmCtx *ctx, const CrmBaskets *baskets, const CrmItemsetParam *param,
					CrmItemsetRows *rows)
{
	Code *codes = crm_allocate(ctx, baskets->n_items, sizeof(Code));
	uint64_t largest;
	CrmStatus status;

	*rows = (CrmItemsetRows){.longest = 1};
	if (codes == NULL)
		return ctx->failure;
	status = count_codes(ctx, baskets, codes, &largest);
	if (status == CRM_OK)
		status = choose_codes(ctx, baskets, param, codes, rows);
	if (status == CRM_OK)
		status = make_rows(ctx, baskets, codes, largest < rows->m ? largest : rows->m, rows);
	crm_release(ctx, codes, baskets->n_items, sizeof(Code));
	if (status != CRM_OK)
		crm_itemset_rows_free(ctx, rows);
	return status;
}

/* Give back the rows; once more does no harm. */
void
crm_itemset_rows_free(CrmCtx *ctx, CrmItemsetRows *rows)
{
	crm_release(ctx, rows->item, rows->n_item, sizeof(uint32_t));
	crm_release(ctx, rows->occurrence, rows->n_entries, sizeof(uint32_t));
	crm_release(ctx, rows->code, (size_t) rows->m * 4, sizeof(uint32_t));
	*rows = (CrmItemsetRows){.longest = 1};
}
