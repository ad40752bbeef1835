/*
 * cox_concordance.c: see cox_concordance.h.
 */
#include "kernel/cox_concordance.h"

#include <string.h>

#include "kernel/base/order.h"
#include "kernel/base/sum.h"

#define POLL_ROWS 16384

/* Sums over ranks 1 .. n: count[i] is that of the ranks i - lowbit(i) + 1 .. i. */
typedef struct Tree
{
	uint32_t *count;
	uint32_t n;
} Tree;

static void
add(Tree *tree, uint32_t rank, uint32_t one)
{
	for (; rank <= tree->n; rank += rank & -rank)
		tree->count[rank] += one; /* modulo 2^32: adding -1 takes away */
}

/* Give how many have a rank up to that. */
static uint32_t
sum_to(const Tree *tree, uint32_t rank)
{
	uint32_t sum = 0;

	for (; rank > 0; rank &= rank - 1)
		sum += tree->count[rank];
	return sum;
}

/* The pairs that a row is part of. */
typedef struct Part
{
	int64_t twice; /* concordant, twice, and tied */
	int64_t all;
} Part;

/* Give the bytes that counting takes for n rows, at most. */
size_t
crm_concordance_bytes(size_t n)
{
	return (n + 1) * sizeof(uint32_t) * 2 +
		   n * (sizeof(uint64_t) + 2 * sizeof(uint32_t) + sizeof(Part));
}

/* Rank the scores from 1 on, equal ones alike; *ranks: how many there are. */
static CrmStatus
rank_scores(CrmCtx *ctx, const double *score, size_t n, uint32_t *rank, uint32_t *ranks)
{
	uint64_t *keys = crm_allocate(ctx, n, sizeof(uint64_t));
	uint32_t *order = crm_allocate(ctx, n, sizeof(uint32_t));
	uint32_t *scratch = crm_allocate(ctx, n, sizeof(uint32_t));
	CrmStatus status;

	*ranks = 0;
	if (keys == NULL || order == NULL || scratch == NULL)
		status = ctx->failure;
	else
	{
		for (size_t i = 0; i < n; i++)
		{
			keys[i] = crm_order_double(score[i]);
			order[i] = (uint32_t) i;
		}
		status = crm_radix_sort_index(ctx, keys, order, scratch, n);
		for (size_t i = 0; i < n && status == CRM_OK; i++)
		{
			if (i == 0 || keys[order[i]] != keys[order[i - 1]])
				++*ranks;
			rank[order[i]] = *ranks;
		}
	}
	crm_release(ctx, scratch, n, sizeof(uint32_t));
	crm_release(ctx, order, n, sizeof(uint32_t));
	crm_release(ctx, keys, n, sizeof(uint64_t));
	return status;
}

/* Count the pairs of those who leave at positions first .. end - 1 with those in the tree. */
static void
count_pairs(const CrmCoxPass *pass, const uint32_t *rank, const Tree *tree, uint32_t in_tree,
			size_t first, size_t end, Part *part, CrmConcordance *result)
{
	for (size_t k = first; k < end; k++)
	{
		uint32_t below, same;

		if (!pass->event[k])
			continue;
		below = sum_to(tree, rank[k] - 1);
		same = sum_to(tree, rank[k]) - below;
		result->concordant += below;
		result->tied += same;
		result->discordant += in_tree - below - same;
		part[k].twice += 2 * (int64_t) below + same;
		part[k].all += in_tree;
	}
}

/* Pass over the times from the last one back, as cox_pass.c does. */
static CrmStatus
count(const CrmCoxPass *pass, const uint32_t *rank, Tree *tree, Part *part, CrmConcordance *result)
{
	size_t out = 0, polled = 0;
	uint32_t in_tree = 0;

	for (size_t i = 0; i < pass->n;)
	{
		size_t first = i;

		if (i > 0 && pass->stratum[i] != pass->stratum[i - 1])
		{
			memset(tree->count, 0, ((size_t) tree->n + 1) * sizeof(uint32_t));
			in_tree = 0;
			out = i;
		}
		for (; i < pass->n && pass->time[i] == pass->time[first] &&
			   pass->stratum[i] == pass->stratum[first];
			 i++)
			if (!pass->event[i])
			{
				add(tree, rank[i], 1);
				in_tree++;
			}
		for (; pass->entry != NULL && out < pass->n &&
			   pass->stratum[pass->by_entry[out]] == pass->stratum[first] &&
			   pass->entry[pass->by_entry[out]] >= pass->time[first];
			 out++, in_tree--)
			add(tree, rank[pass->by_entry[out]], (uint32_t) -1);
		count_pairs(pass, rank, tree, in_tree, first, i, part, result);
		for (size_t k = first; k < i; k++)
			if (pass->event[k])
			{
				add(tree, rank[k], 1);
				in_tree++;
			}
		if (i - polled >= POLL_ROWS)
		{
			polled = i;
			if (crm_poll(pass->ctx))
				return CRM_ABORTED;
		}
	}
	return CRM_OK;
}

/* Add to a row's part, or take from it, the pairs with those in the tree, who left before it. */
static void
count_survivor(const Tree *tree, uint32_t in_tree, uint32_t rank, int sign, Part *part)
{
	uint32_t up_to = sum_to(tree, rank);
	uint32_t same = up_to - sum_to(tree, rank - 1);

	part->twice += sign * (2 * (int64_t) (in_tree - up_to) + same);
	part->all += sign * (int64_t) in_tree;
}

/*
 * Give each row its pairs with those who left while it was under observation: pass over the times
 * from the first one on, with those who have left in the tree.
 */
static CrmStatus
count_survivors(const CrmCoxPass *pass, const uint32_t *rank, Tree *tree, Part *part)
{
	size_t in = pass->n, polled = 0;
	uint32_t in_tree = 0;

	memset(tree->count, 0, ((size_t) tree->n + 1) * sizeof(uint32_t));
	for (size_t i = pass->n; i > 0;)
	{
		size_t end = i;

		if (i < pass->n && pass->stratum[i - 1] != pass->stratum[i])
		{
			memset(tree->count, 0, ((size_t) tree->n + 1) * sizeof(uint32_t));
			in_tree = 0;
			in = i;
		}
		/* who enters before this time has no pair with those who have left until then */
		for (; pass->entry != NULL && in > 0 &&
			   pass->stratum[pass->by_entry[in - 1]] == pass->stratum[end - 1] &&
			   pass->entry[pass->by_entry[in - 1]] < pass->time[end - 1];
			 in--)
			count_survivor(tree, in_tree, rank[pass->by_entry[in - 1]], -1,
						   &part[pass->by_entry[in - 1]]);
		while (i > 0 && pass->time[i - 1] == pass->time[end - 1] &&
			   pass->stratum[i - 1] == pass->stratum[end - 1])
			i--;
		for (size_t k = i; k < end; k++)
			if (pass->event[k])
				count_survivor(tree, in_tree, rank[k], 1, &part[k]);
		for (size_t k = i; k < end; k++)
			if (pass->event[k])
			{
				add(tree, rank[k], 1);
				in_tree++;
			}
		for (size_t k = i; k < end; k++)
			if (!pass->event[k])
				count_survivor(tree, in_tree, rank[k], 1, &part[k]);
		if (pass->n - i - polled >= POLL_ROWS)
		{
			polled = pass->n - i;
			if (crm_poll(pass->ctx))
				return CRM_ABORTED;
		}
	}
	return CRM_OK;
}

/* Set the variance by the parts. */
static void
set_variance(const Part *part, size_t n, CrmConcordance *result)
{
	double all = (double) (result->concordant + result->discordant + result->tied);
	double c = ((double) result->concordant + 0.5 * (double) result->tied) / all;
	CrmSum sum = {0};

	for (size_t i = 0; i < n && all > 0.0; i++)
		crm_sum_add_square(&sum, (0.5 * (double) part[i].twice - c * (double) part[i].all) / all);
	result->variance = all > 0.0 ? crm_sum_value(sum) : NAN;
}

/*
 * Count the pairs of the rows of a pass by a score at each position, high for soon. Errors:
 * CRM_LIMIT, CRM_NO_MEMORY, CRM_ABORTED.
 */
CrmStatus
crm_concordance(const CrmCoxPass *pass, const double *score, CrmConcordance *result)
{
	CrmCtx *ctx = pass->ctx;
	uint32_t *rank = crm_allocate(ctx, pass->n, sizeof(uint32_t));
	Part *part = crm_allocate(ctx, pass->n, sizeof(Part));
	Tree tree = {.count = crm_allocate(ctx, pass->n + 1, sizeof(uint32_t))};
	CrmStatus status;

	*result = (CrmConcordance){.variance = NAN};
	if (rank == NULL || part == NULL || tree.count == NULL)
		status = ctx->failure;
	else
	{
		memset(tree.count, 0, (pass->n + 1) * sizeof(uint32_t));
		memset(part, 0, pass->n * sizeof(Part));
		status = rank_scores(ctx, score, pass->n, rank, &tree.n);
		if (status == CRM_OK)
			status = count(pass, rank, &tree, part, result);
		if (status == CRM_OK)
			status = count_survivors(pass, rank, &tree, part);
		if (status == CRM_OK)
			set_variance(part, pass->n, result);
	}
	crm_release(ctx, tree.count, pass->n + 1, sizeof(uint32_t));
	crm_release(ctx, part, pass->n, sizeof(Part));
	crm_release(ctx, rank, pass->n, sizeof(uint32_t));
	return status;
}
