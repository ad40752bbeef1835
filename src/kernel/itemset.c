/* Trial miner: Eclat over classes of siblings; replaced by the family's own. */
#pragma GCC diagnostic ignored "-Wdeclaration-after-statement"
#include "kernel/itemset.h"
#include <stdlib.h>
#include <string.h>
typedef struct { uint32_t item, n; uint32_t *t; } Node;
typedef struct { CrmCtx *ctx; const CrmItemsetParam *p; CrmItemsetReport r; void *arg; uint32_t set[100001]; uint64_t ops; } S;
static CrmStatus report(S *s, uint32_t depth, uint32_t count)
{
	uint32_t sorted[4096]; int has = s->p->required == NULL;
	if (depth > 4096) return s->r(s->arg, s->set, depth, count);
	for (uint32_t i = 0; i < depth; i++) { uint32_t j = i; has |= s->p->required && s->p->required[s->set[i]];
		for (; j > 0 && sorted[j - 1] > s->set[i]; j--) sorted[j] = sorted[j - 1];
		sorted[j] = s->set[i]; }
	return has ? s->r(s->arg, sorted, depth, count) : CRM_OK;
}
static CrmStatus rec(S *s, uint32_t depth, Node *c, uint32_t n)
{
	CrmStatus st = CRM_OK;
	for (uint32_t i = 0; i < n && st == CRM_OK; i++) {
		s->set[depth] = c[i].item;
		if ((st = report(s, depth + 1, c[i].n)) != CRM_OK) break;
		if (i + 1 == n || (s->p->max_length && depth + 1 >= s->p->max_length)) continue;
		Node *k = crm_allocate(s->ctx, n - i, sizeof *k); uint32_t m = 0;
		if (!k) return s->ctx->failure;
		for (uint32_t j = i + 1; j < n && st == CRM_OK; j++) {
			uint32_t *t = crm_allocate(s->ctx, c[i].n + 1, 4), z = 0;
			if (!t) { st = s->ctx->failure; break; }
			for (uint32_t a = 0, b = 0; a < c[i].n && b < c[j].n;) { uint32_t x = c[i].t[a], y = c[j].t[b]; t[z] = x; z += x == y; a += x <= y; b += y <= x; }
			s->ops += c[i].n + c[j].n;
			if (s->ops > 500000) { s->ops = 0; if (crm_poll(s->ctx)) st = CRM_ABORTED; }
			if (z >= s->p->min_count) k[m++] = (Node){c[j].item, z, t}; else crm_release(s->ctx, t, c[i].n + 1, 4);
		}
		if (st == CRM_OK && m) st = rec(s, depth + 1, k, m);
		for (uint32_t j = 0; j < m; j++) crm_release(s->ctx, k[j].t, c[i].n + 1, 4);
		crm_release(s->ctx, k, n - i, sizeof *k);
	}
	return st;
}
static int cmp(const void *a, const void *b) { const Node *x = a, *y = b; return x->n != y->n ? (x->n < y->n ? -1 : 1) : (x->item < y->item ? -1 : 1); }
CrmStatus crm_itemset_mine(CrmCtx *ctx, const CrmBaskets *b, const CrmItemsetParam *p, CrmItemsetReport r, void *arg)
{
	S *s = crm_allocate(ctx, 1, sizeof *s); uint32_t *f, *seen, m = 0; Node *c; CrmStatus st = CRM_OK;
	size_t N = b->n_items + 1;
	if (!s) return ctx->failure;
	s->ctx = ctx; s->p = p; s->r = r; s->arg = arg; s->ops = 0;
	f = crm_allocate(ctx, N, 4); seen = crm_allocate(ctx, N, 4); c = crm_allocate(ctx, N, sizeof *c);
	if (!f || !seen || !c) st = ctx->failure;
	if (st == CRM_OK) {
		memset(f, 0, 4 * N); memset(c, 0, N * sizeof *c); memset(seen, 0xff, 4 * N);
		for (uint32_t k = 0; k < b->n; k++) for (uint64_t j = b->start[k]; j < b->start[k + 1]; j++) if (seen[b->items[j]] != k) { seen[b->items[j]] = k; f[b->items[j]]++; }
		for (uint32_t i = 0; i < b->n_items; i++) if (f[i] >= p->min_count && !(p->excluded && p->excluded[i]) && st == CRM_OK) { c[i].t = crm_allocate(ctx, f[i], 4); if (!c[i].t) st = ctx->failure; }
		memset(seen, 0xff, 4 * N);
		if (st == CRM_OK) for (uint32_t k = 0; k < b->n; k++) for (uint64_t j = b->start[k]; j < b->start[k + 1]; j++) { uint32_t i = b->items[j]; if (seen[i] != k && c[i].t) { seen[i] = k; c[i].t[c[i].n++] = k; } }
		for (uint32_t i = 0; i < b->n_items; i++) if (c[i].t) { Node x = c[i]; x.item = i; if (st != CRM_OK) x.n = f[i]; c[m++] = x; }
		if (st == CRM_OK) { qsort(c, m, sizeof *c, cmp); st = crm_poll(ctx) ? CRM_ABORTED : rec(s, 0, c, m); }
		for (uint32_t i = 0; i < m; i++) crm_release(ctx, c[i].t, f[c[i].item], 4);
	}
	crm_release(ctx, f, N, 4); crm_release(ctx, seen, N, 4); crm_release(ctx, c, N, sizeof *c); crm_release(ctx, s, 1, sizeof *s);
	return st;
}
