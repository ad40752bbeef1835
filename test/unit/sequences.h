/*
 * sequences.h: small databases of events, and sequential patterns by their definition: every choice
 * of moments is tried, nothing is projected or pruned.
 */
#ifndef CRM_TEST_SEQUENCES_H
#define CRM_TEST_SEQUENCES_H

#include "host.h"
#include "kernel/sequence.h"

#define MOST_EVENTS    128
#define MOST_CUSTOMERS 12
#define MOST_STEPS     12

/* A pattern: the labels of each step as bits. */
typedef struct Steps
{
	int n;
	uint32_t set[MOST_STEPS];
} Steps;

typedef struct Database
{
	CrmEvent events[MOST_EVENTS];
	size_t n;
	uint32_t n_customers, n_labels;
	int n_moments[MOST_CUSTOMERS]; /* what the definition needs, made by database_index */
	int64_t time[MOST_CUSTOMERS][MOST_EVENTS];
	uint32_t set[MOST_CUSTOMERS][MOST_EVENTS];
} Database;

static inline CrmSequenceParam
no_constraints(uint32_t min_count)
{
	return (CrmSequenceParam){.min_count = min_count, .max_gap = UINT64_MAX, .window = UINT64_MAX};
}

static inline void
database_add(Database *database, uint32_t customer, int64_t time, uint32_t label)
{
	database->events[database->n++] = (CrmEvent){time, customer, label};
	if (customer >= database->n_customers)
		database->n_customers = customer + 1;
	if (label >= database->n_labels)
		database->n_labels = label + 1;
}

/* Add the labels of a word, 'a' is 0, all at one moment. */
static inline void
database_add_word(Database *database, uint32_t customer, int64_t time, const char *word)
{
	for (; *word != '\0'; word++)
		database_add(database, customer, time, (uint32_t) (*word - 'a'));
}

/* List each customer's moments in order. */
static inline void
database_index(Database *database)
{
	memset(database->n_moments, 0, sizeof database->n_moments);
	for (size_t i = 0; i < database->n; i++)
	{
		const CrmEvent *event = &database->events[i];
		int64_t *time = database->time[event->customer];
		uint32_t *set = database->set[event->customer];
		int *n = &database->n_moments[event->customer], at = 0;

		while (at < *n && time[at] < event->time)
			at++;
		if (at == *n || time[at] != event->time)
		{
			for (int j = (*n)++; j > at; j--)
			{
				time[j] = time[j - 1];
				set[j] = set[j - 1];
			}
			time[at] = event->time;
			set[at] = 0;
		}
		set[at] |= UINT32_C(1) << event->label;
	}
}

/* Give the least span of the steps from `step` on, when step - 1 is at moment `at` and the first
 * at `first`; UINT64_MAX: there is none. */
static inline uint64_t
best_span(const Database *database, const CrmSequenceParam *param, int customer, const Steps *steps,
		  int step, int at, int first)
{
	const int64_t *time = database->time[customer];
	uint64_t best = UINT64_MAX;

	if (step == steps->n)
		return (uint64_t) time[at] - (uint64_t) time[first];
	for (int m = step == 0 ? 0 : at + 1; m < database->n_moments[customer]; m++)
	{
		uint64_t gap = step == 0 ? 0 : (uint64_t) time[m] - (uint64_t) time[at];
		uint64_t span = step == 0 ? 0 : (uint64_t) time[m] - (uint64_t) time[first];
		uint64_t found;

		if ((database->set[customer][m] & steps->set[step]) != steps->set[step])
			continue;
		if (step > 0 && (gap < param->min_gap || gap > param->max_gap || span > param->window ||
						 (param->contiguous && m != at + 1)))
			continue;
		found = best_span(database, param, customer, steps, step + 1, m, step == 0 ? m : first);
		best = found < best ? found : best;
	}
	return best;
}

/* Give the customers that support a pattern, and the median of their times. */
static inline uint32_t
count_by_definition(const Database *database, const CrmSequenceParam *param, const Steps *steps,
					uint64_t *time)
{
	uint64_t span[MOST_CUSTOMERS];
	uint32_t n = 0;

	for (uint32_t customer = 0; customer < database->n_customers; customer++)
	{
		uint64_t best = best_span(database, param, (int) customer, steps, 0, 0, 0);
		uint32_t at = n;

		if (best == UINT64_MAX)
			continue;
		for (; at > 0 && span[at - 1] > best; at--)
			span[at] = span[at - 1];
		span[at] = best;
		n++;
	}
	if (n > 0 && time != NULL)
		*time = span[(n - 1) / 2] + (span[n / 2] - span[(n - 1) / 2]) / 2;
	return n;
}

static inline int
steps_length(const Steps *steps)
{
	int length = 0;

	for (int i = 0; i < steps->n; i++)
		length += __builtin_popcount(steps->set[i]);
	return length;
}

/* Give the steps of a pattern of a model. */
static inline Steps
model_steps(const CrmSequenceModel *model, const CrmSequenceData *data, uint32_t pattern)
{
	uint32_t codes[64];
	int n = 0;
	Steps steps = {.n = 0};

	for (; pattern != CRM_SEQUENCE_ROOT; pattern = model->patterns[pattern].parent)
		codes[n++] = model->patterns[pattern].code;
	while (n-- > 0)
	{
		if ((codes[n] & 1) == 0)
			steps.set[steps.n++] = 0;
		steps.set[steps.n - 1] |= UINT32_C(1) << data->label[codes[n] >> 1];
	}
	return steps;
}

static inline bool
steps_equal(const Steps *a, const Steps *b)
{
	return a->n == b->n && memcmp(a->set, b->set, (size_t) a->n * sizeof *a->set) == 0;
}

/* Find a pattern of a model by its steps; CRM_SEQUENCE_NONE: it is not there. */
static inline uint32_t
model_find(const CrmSequenceModel *model, const CrmSequenceData *data, const Steps *steps)
{
	for (uint32_t i = 1; i < model->n; i++)
	{
		Steps other = model_steps(model, data, i);

		if (steps_equal(steps, &other))
			return i;
	}
	return CRM_SEQUENCE_NONE;
}

/* Write steps as in ad(bf)a. */
static inline const char *
steps_text(const Steps *steps, char *text)
{
	char *at = text;

	for (int i = 0; i < steps->n; i++)
	{
		bool is_set = (steps->set[i] & (steps->set[i] - 1)) != 0;

		if (is_set)
			*at++ = '(';
		for (int label = 0; label < 26; label++)
			if ((steps->set[i] >> label & 1) != 0)
				*at++ = (char) ('a' + label);
		if (is_set)
			*at++ = ')';
	}
	*at = '\0';
	return text;
}

/* Make a copy of the database's events ready for the miner. */
static inline CrmStatus
database_arrange(CrmCtx *ctx, const Database *database, const CrmSequenceParam *param,
				 CrmSequenceData *data, CrmEvent *copy)
{
	memcpy(copy, database->events, database->n * sizeof *copy);
	*data =
		(CrmSequenceData){.events = copy, .n = database->n, .n_customers = database->n_customers};
	return crm_sequence_arrange(ctx, data, database->n_labels, param);
}

/* Fill a database with random events: few labels and moments, so that all happens by chance. */
static inline void
database_draw(Database *database, uint32_t customers, size_t events, uint32_t labels, int64_t times)
{
	memset(database, 0, sizeof *database);
	database->n_customers = customers;
	database->n_labels = labels;
	for (size_t i = 0; i < events; i++)
		database_add(database, (uint32_t) draw_below(customers), (int64_t) draw_below(times),
					 (uint32_t) draw_below(labels));
	database_index(database);
}

/* Draw constraints; half of them are none. */
static inline CrmSequenceParam
draw_constraints(uint32_t customers)
{
	CrmSequenceParam param =
		no_constraints(1 + (uint32_t) draw_below(customers > 2 ? 2 : customers));

	if (draw_below(2) == 0)
		param.min_gap = draw_below(4);
	if (draw_below(2) == 0)
		param.max_gap = 1 + param.min_gap + draw_below(4);
	if (draw_below(2) == 0)
		param.window = 1 + draw_below(8);
	param.contiguous = draw_below(4) == 0;
	param.itemsets = draw_below(2) == 0;
	return param;
}

static inline void
model_release(CrmCtx *ctx, CrmSequenceModel *model)
{
	crm_release(ctx, model->patterns, model->room, sizeof(CrmSequencePattern));
	model->patterns = NULL;
}

/* Zaki 2001, figure 1: four customers, eight labels. */
static inline void
database_zaki(Database *database)
{
	memset(database, 0, sizeof *database);
	database_add_word(database, 0, 10, "cd");
	database_add_word(database, 0, 15, "abc");
	database_add_word(database, 0, 20, "abf");
	database_add_word(database, 0, 25, "acdf");
	database_add_word(database, 1, 15, "abf");
	database_add_word(database, 1, 20, "e");
	database_add_word(database, 2, 10, "abf");
	database_add_word(database, 3, 10, "dgh");
	database_add_word(database, 3, 20, "bf");
	database_add_word(database, 3, 25, "agh");
	database_index(database);
}

#endif
