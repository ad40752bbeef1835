/*
 * shop.h: baskets for tests: drawn, made, or read from the folder that CRM_DATA names.
 */
#ifndef CRM_TEST_SHOP_H
#define CRM_TEST_SHOP_H

#include "host.h"
#include "kernel/itemset.h"

typedef struct Shop
{
	CrmBaskets baskets;
	uint64_t *start;
	uint32_t *items;
	size_t room; /* of items */
} Shop;

/* Begin a shop of n baskets, to be filled one after another. */
static inline void
shop_begin(Shop *shop, uint32_t n, uint32_t n_items)
{
	*shop = (Shop){.baskets = {.n = n, .n_items = n_items}, .room = 64};
	shop->start = malloc(((size_t) n + 1) * sizeof *shop->start);
	shop->items = malloc(shop->room * sizeof *shop->items);
	shop->start[0] = 0;
}

/* Put an item into basket b, which is the last that has any. */
static inline void
shop_put(Shop *shop, uint32_t b, uint32_t item)
{
	uint64_t at = shop->start[b + 1];

	if (at == shop->room)
	{
		shop->room *= 2;
		shop->items = realloc(shop->items, shop->room * sizeof *shop->items);
	}
	shop->items[at] = item;
	shop->start[b + 1]++;
}

/* Close the shop. */
static inline void
shop_end(Shop *shop)
{
	shop->baskets.start = shop->start;
	shop->baskets.items = shop->items;
}

static inline void
shop_free(Shop *shop)
{
	free(shop->start);
	free(shop->items);
}

/* Draw baskets: each item with that chance in percent, items of low code more often; some come
 * twice, and in any order. */
static inline void
shop_draw(Shop *shop, uint32_t n, uint32_t n_items, uint32_t percent)
{
	shop_begin(shop, n, n_items);
	for (uint32_t b = 0; b < n; b++)
	{
		uint32_t order[64];

		shop->start[b + 1] = shop->start[b];
		draw_order(order, n_items);
		for (uint32_t i = 0; i < n_items; i++)
			if (draw_below(100) < percent / (1 + order[i] % 3))
			{
				shop_put(shop, b, order[i]);
				if (draw_below(8) == 0)
					shop_put(shop, b, order[i]);
			}
	}
	shop_end(shop);
}

/* Make n baskets, of which the first few hold all items, and each other one a few in a row. */
static inline void
shop_blocks(Shop *shop, uint32_t n, uint32_t full, uint32_t n_items)
{
	shop_begin(shop, n, n_items);
	for (uint32_t b = 0; b < n; b++)
	{
		shop->start[b + 1] = shop->start[b];
		for (uint32_t i = 0; i < (b < full ? n_items : 3); i++)
			shop_put(shop, b, b < full ? i : (b + i) % n_items);
	}
	shop_end(shop);
}

/* Make a shop of the same baskets: order[b] of the old one becomes b, its items turned round. */
static inline void
shop_shuffle(Shop *shop, const Shop *old, const uint32_t *order)
{
	shop_begin(shop, old->baskets.n, old->baskets.n_items);
	for (uint32_t b = 0; b < old->baskets.n; b++)
	{
		shop->start[b + 1] = shop->start[b];
		for (uint64_t i = old->start[order[b] + 1]; i-- > old->start[order[b]];)
			shop_put(shop, b, old->items[i]);
	}
	shop_end(shop);
}

/* Read a file of CRM_DATA with one basket a line, its items separated by commas or else spaces;
 * false where there is none. */
static inline bool
shop_read(Shop *shop, const char *file)
{
	const char *folder = getenv("CRM_DATA");
	bool is_csv = strstr(file, ".csv") != NULL;
	static char line[65536], *names[20000];
	char command[1000];
	uint32_t n = 0, n_items = 0;
	FILE *stream;

	snprintf(command, sizeof command, "%s/%s", folder != NULL ? folder : "/nowhere", file);
	stream = fopen(command, "r");
	if (stream == NULL)
		return false;
	fclose(stream);
	snprintf(command, sizeof command, "gzip -cdf '%s/%s'", folder, file);
	stream = popen(command, "r");
	shop_begin(shop, 200000, 0);
	for (; fgets(line, sizeof line, stream) != NULL; n++)
	{
		shop->start[n + 1] = shop->start[n];
		for (char *word = strtok(line, is_csv ? ",\r\n" : " \r\n"); word != NULL;
			 word = strtok(NULL, is_csv ? ",\r\n" : " \r\n"))
		{
			uint32_t item = is_csv ? 0 : (uint32_t) atoi(word);

			for (; is_csv && item < n_items && strcmp(names[item], word) != 0; item++)
				;
			if (is_csv && item == n_items)
				names[item] = strdup(word);
			n_items = item >= n_items ? item + 1 : n_items;
			shop_put(shop, n, item);
		}
	}
	pclose(stream);
	for (uint32_t i = 0; is_csv && i < n_items; i++)
		free(names[i]);
	shop->baskets.n = n;
	shop->baskets.n_items = n_items;
	shop_end(shop);
	return true;
}

#endif
