/*
 * itemset_data.h: a public data set as baskets: a line each, of words that characters part.
 */
#ifndef CRM_TEST_ITEMSET_DATA_H
#define CRM_TEST_ITEMSET_DATA_H

#include "tap.h"

#include "kernel/base/baskets.h"

typedef struct Data
{
	CrmBaskets baskets;
	uint64_t *start;
	uint32_t *items;
	char **words; /* open-addressed, each with its code */
	uint32_t *code;
} Data;

enum
{
	DATA_SLOTS = 1 << 16,
	DATA_ITEMS = 1 << 21,
	DATA_BASKETS = 1 << 18
};

/* Give the code of a word, a new one when it is new. */
static inline uint32_t
data_code(Data *data, const char *word)
{
	uint32_t slot = 5381;

	for (const char *c = word; *c != '\0'; c++)
		slot = slot * 33 + (unsigned char) *c;
	for (slot %= DATA_SLOTS; data->words[slot] != NULL; slot = (slot + 1) % DATA_SLOTS)
		if (strcmp(data->words[slot], word) == 0)
			return data->code[slot];
	data->words[slot] = strdup(word);
	return data->code[slot] = data->baskets.n_items++;
}

/* Read what a command prints; `parts` end a word. False where CRM_DATA does not have it. */
static inline bool
data_read(Data *data, const char *command, const char *parts)
{
	FILE *file = getenv("CRM_DATA") != NULL ? popen(command, "r") : NULL;
	char *line = NULL;
	size_t room = 0;
	uint64_t n = 0;

	*data = (Data){.start = malloc((DATA_BASKETS + 1) * sizeof(uint64_t)),
				   .items = malloc(DATA_ITEMS * sizeof(uint32_t)),
				   .words = calloc(DATA_SLOTS, sizeof(char *)),
				   .code = malloc(DATA_SLOTS * sizeof(uint32_t))};
	data->start[0] = 0;
	while (file != NULL && data->baskets.n < DATA_BASKETS && getline(&line, &room, file) > 0)
	{
		for (char *word = strtok(line, parts); word != NULL && n < DATA_ITEMS;
			 word = strtok(NULL, parts))
			data->items[n++] = data_code(data, word);
		data->start[++data->baskets.n] = n;
	}
	free(line);
	data->baskets.start = data->start;
	data->baskets.items = data->items;
	return file != NULL && pclose(file) == 0 && n > 0;
}

static inline void
data_free(Data *data)
{
	for (int s = 0; s < DATA_SLOTS; s++)
		free(data->words[s]);
	free(data->words);
	free(data->code);
	free(data->items);
	free(data->start);
}

#endif
