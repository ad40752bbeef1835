/*
 * pattern.c: unit tests of kernel/pattern against the definition: all choices of rows are tried,
 * for random patterns and rows; and every error of the syntax.
 */
#include "kernel/pattern.h"
#include "host.h"

#define MOST_ROWS   11
#define MOST_EVENTS 5

typedef enum Link
{
	NEXT,
	LATER,
	TIMED
} Link;

/* A pattern as it was drawn, beside its text. */
typedef struct Drawn
{
	int n, condition[MOST_EVENTS]; /* 0: any row */
	Link link[MOST_EVENTS];
	int n_limits[MOST_EVENTS];
	const char *operator[MOST_EVENTS][2];
	int seconds[MOST_EVENTS][2];
	char text[400];
} Drawn;

/* True when the times of two rows, in seconds, fit a limit. */
static bool
fits(int64_t between, const char *operator, int seconds)
{
	if (strcmp(operator, "<") == 0)
		return between < seconds;
	if (strcmp(operator, "<=") == 0)
		return between <= seconds;
	if (strcmp(operator, ">") == 0)
		return between > seconds;
	if (strcmp(operator, ">=") == 0)
		return between >= seconds;
	return between == seconds;
}

/* True when events from k on match, the event before at row last; *end is then the last row. */
static bool
matches(const Drawn *d, const CrmConditions *rows, int n, int k, int last, int *end)
{
	if (k == d->n)
	{
		*end = last;
		return true;
	}
	for (int i = last + 1; i < n; i++)
	{
		bool good = d->condition[k] == 0 || rows[i].holds >> (d->condition[k] - 1) & 1;

		if (d->link[k] == NEXT)
			good = good && i == last + 1;
		for (int l = 0; d->link[k] == TIMED && l < d->n_limits[k]; l++)
			good = good && fits(rows[i].at / 1000000 - rows[last].at / 1000000, d->operator[k][l],
								d->seconds[k][l]);
		if (good && matches(d, rows, n, k + 1, i, end))
			return true;
	}
	return false;
}

/*
 * True when a match begins at row i, within the first n rows; *end is where the first choices end.
 */
static bool
begins(const Drawn *d, const CrmConditions *rows, int n, int i, int *end)
{
	if (d->condition[0] != 0 && !(rows[i].holds >> (d->condition[0] - 1) & 1))
		return false;
	return matches(d, rows, n, 1, i, end);
}

/*
 * Count as ClickHouse searches: the first row that begins a match, its first choices, and so on.
 */
static int
count_first(const Drawn *d, const CrmConditions *rows, int n)
{
	int count = 0, end;

	for (int i = 0; i < n; i++)
		if (begins(d, rows, n, i, &end))
		{
			count++;
			i = end;
		}
	return count;
}

/* Count the most matches that do not overlap: for each row where one ends, the last to begin. */
static int
count_most(const Drawn *d, const CrmConditions *rows, int n)
{
	int best[MOST_ROWS + 1] = {0}, end;

	for (int e = 1; e <= n; e++)
	{
		best[e] = best[e - 1];
		for (int i = e - 1; i >= 0; i--)
			if (begins(d, rows, e, i, &end) && best[i] + 1 > best[e])
				best[e] = best[i] + 1;
	}
	return best[n];
}

/* Add a text to a pattern's, and sometimes a space. */
static void
add(Drawn *d, const char *text)
{
	strcat(d->text, text);
	if (draw_below(8) == 0)
		strcat(d->text, " ");
}

/* Draw a pattern. */
static void
draw_pattern(Drawn *d, int n_conditions)
{
	static const char *operators[] = {"<", "<=", ">", ">=", "=", "=="};
	char piece[60];

	memset(d, 0, sizeof *d);
	d->n = 1 + (int) draw_below(MOST_EVENTS);
	if (draw_below(4) == 0)
		add(d, ".*");
	for (int k = 0; k < d->n; k++)
	{
		d->link[k] = k == 0 ? NEXT : (Link) draw_below(3);
		if (d->link[k] == LATER)
			add(d, draw_below(5) == 0 ? ".*.*" : ".*");
		if (d->link[k] == TIMED)
			d->n_limits[k] = 1 + (draw_below(4) == 0);
		for (int l = 0; l < d->n_limits[k]; l++)
		{
			d->operator[k][l] = operators[draw_below(6)];
			d->seconds[k][l] = (int) draw_below(6);
			snprintf(piece, sizeof piece, draw_below(3) == 0 ? "(?t%s%d.0)" : "(?t%s%d)",
					 d->operator[k][l], d->seconds[k][l]);
			add(d, piece);
		}
		d->condition[k] = draw_below(5) == 0 ? 0 : 1 + (int) draw_below((uint64_t) n_conditions);
		snprintf(piece, sizeof piece, d->condition[k] == 0 ? "." : "(?%d)", d->condition[k]);
		add(d, piece);
	}
	if (draw_below(4) == 0)
		add(d, ".*");
}

/* Hold random patterns and rows against the definition. */
static void
try_random(Host *host, CrmCtx *ctx)
{
	int refused = 0, wrong = 0, wrong_match = 0, wrong_most = 0, found = 0, many = 0, timed = 0;

	for (int round = 0; round < 60000; round++)
	{
		int n_conditions = 1 + (int) draw_below(3), n = (int) draw_below(MOST_ROWS + 1), first,
			most;
		uint64_t times = 1 + draw_below(14);
		CrmPatternSyntax syntax = {.n_conditions = n_conditions};
		CrmPatternError error;
		CrmPattern pattern;
		CrmConditions rows[MOST_ROWS];
		int64_t count, one;
		Drawn d;

		draw_pattern(&d, n_conditions);
		for (int i = 0; i < n; i++)
			rows[i] = (CrmConditions){(int64_t) draw_below(times) * 1000000,
									  1 + (uint32_t) draw_below((1u << n_conditions) - 1)};
		crm_conditions_sort(ctx, rows, (size_t) n);
		if (crm_pattern_read(&pattern, d.text, strlen(d.text), &syntax, &error) != CRM_OK)
		{
			refused++;
			continue;
		}
		crm_pattern_count(ctx, &pattern, rows, (size_t) n, INT64_MAX, &count);
		crm_pattern_count(ctx, &pattern, rows, (size_t) n, 1, &one);
		first = count_first(&d, rows, n);
		most = count_most(&d, rows, n);
		wrong += count != first;
		wrong_most += count != most;
		wrong_match += one != (first > 0);
		found += first > 0;
		many += first > 1;
		for (int k = 0; k < d.n; k++)
			timed += first > 0 && d.link[k] == TIMED;
	}
	ok(refused == 0, "every drawn pattern is one");
	ok(found > 5000 && many > 1000 && timed > 3000, "found %d, several %d, timed events %d", found,
	   many, timed);
	ok(wrong == 0, "the count is that of the first choices");
	ok(wrong_most == 0, "and the most that do not overlap");
	ok(wrong_match == 0, "one is found where there is one");
	is_clean(&host->tap, "the search");
}

/* Give micros for 'minute', nothing else. */
static bool
minutes_only(void *user, const char *text, size_t bytes, int64_t *micros)
{
	*micros = *(int64_t *) user;
	return bytes == 6 && memcmp(text, "minute", 6) == 0;
}

/* Each error of the syntax, with its place. */
static void
try_syntax(void)
{
	static const struct
	{
		const char *text;
		size_t at;
		const char *what;
	} wrong[] = {{"", 0, "the pattern has no event"},
				 {" .* ", 4, "the pattern has no event"},
				 {"(?1)x", 4, "this is no part of a pattern"},
				 {"(1)", 0, "this is no part of a pattern"},
				 {"(?1)*", 4, "this is no part of a pattern"},
				 {"(?1", 3, "a closing parenthesis is missing"},
				 {"(?1(?2)", 3, "a closing parenthesis is missing"},
				 {"(?1)(?t<5", 9, "a closing parenthesis is missing"},
				 {"(?)", 2, "the number of a condition, or t, is missing"},
				 {"(?", 2, "the number of a condition, or t, is missing"},
				 {"(?-1)", 2, "the number of a condition, or t, is missing"},
				 {"(?1)(?0)", 4, "there is no condition of this number"},
				 {"(?1)(?3)", 4, "there is no condition of this number"},
				 {"(?99999999999999999999)", 0, "there is no condition of this number"},
				 {"(?1)(?t5)(?2)", 7, "an operator is missing"},
				 {"(?1)(?t!=5)(?2)", 7, "an operator is missing"},
				 {"(?1)(?t<=)(?2)", 9, "a time is missing"},
				 {"(?1)(?t<=-1)(?2)", 9, "a time is missing"},
				 {"(?1)(?t<=.5)(?2)", 9, "a time is missing"},
				 {"(?1)(?t<=5.1234567)(?2)", 9, "a time has at most six decimals"},
				 {"(?1)(?t<=9223372036855)(?2)", 9, "the time is out of range"},
				 {"(?1)(?t<=99999999999999999999)(?2)", 9, "the time is out of range"},
				 {"(?1)(?t<=9223372036854.775808)(?2)", 9, "the time is out of range"},
				 {"(?1)(?t>9223372036854.775807)(?2)", 4, "the time is out of range"},
				 {"(?1)(?t<='minute)(?2)", 9, "the quote is not closed"},
				 {"(?1)(?t<='hour')(?2)", 9, "this is no fixed length of time"},
				 {"(?1)(?t<5)", 4, "no event comes after this time"},
				 {"(?1)(?t>1)(?t<5)", 4, "no event comes after this time"},
				 {"(?t<5)(?1)", 0, "a time must stand directly between two events"},
				 {"(?1).*(?t<5)(?2)", 6, "a time must stand directly between two events"},
				 {"(?1)(?t<5).*(?2)", 10, "a time must stand directly between two events"}};
	const char *spaced = "(? 1 ) (? t >= 0.25 )\n(?t<'minute')\t.";
	int64_t minute = 60000000;
	CrmPatternSyntax syntax = {.n_conditions = 2, .span = minutes_only, .user = &minute};
	CrmPatternError error;
	CrmPattern pattern;
	char many[400] = "";

	for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
	{
		error = (CrmPatternError){999, "none", NULL};
		ok(crm_pattern_read(&pattern, wrong[i].text, strlen(wrong[i].text), &syntax, &error) ==
				   CRM_DOMAIN &&
			   error.at == wrong[i].at && strcmp(error.what, wrong[i].what) == 0,
		   "\"%s\": %s at %zu", wrong[i].text, error.what, error.at);
	}
	for (int i = 0; i < 64; i++)
		strcat(many, "(?1)");
	ok(crm_pattern_read(&pattern, many, 256, &syntax, &error) == CRM_OK && pattern.n == 64, "64");
	ok(crm_pattern_read(&pattern, strcat(many, "."), 257, &syntax, &error) == CRM_DOMAIN &&
		   error.at == 256,
	   "but not 65 events");
	ok(crm_pattern_read(&pattern, "(?1)(?t<=99)(?2)", 4, &syntax, &error) == CRM_OK &&
		   pattern.n == 1,
	   "no more is read than there is");
	ok(crm_pattern_read(&pattern, "( ?1)", 5, &syntax, &error) == CRM_DOMAIN, "(? is one word");
	ok(crm_pattern_read(&pattern, spaced, strlen(spaced), &syntax, &error) == CRM_OK &&
		   pattern.low[1] == 250000 && pattern.high[1] == 59999999,
	   "spaces, decimals and quotes");
	minute = -1;
	ok(crm_pattern_read(&pattern, "(?1)(?t<'minute').", 18, &syntax, &error) == CRM_DOMAIN,
	   "a quoted time below zero");
	syntax.span = NULL;
	ok(crm_pattern_read(&pattern, "(?1)(?t<'minute').", 18, &syntax, &error) == CRM_DOMAIN,
	   "or without a reader of quotes");
}

/* Random texts: each is a pattern that can be looked for, or an error within it. */
static void
try_texts(CrmCtx *ctx)
{
	static const char *pieces[] = {"(?", "(?t", "(?1)", "(?2)", ")",      "(", "?", "t",
								   "<=", "<",   ">",    ">=",   "=",      "0", "1", "99",
								   ".",  ".*",  "*",    "'",    "minute", " "};
	const CrmConditions rows[] = {{1, 1}, {2, 2}, {3, 3}, {90000000, 1}};
	int64_t minute = 60000000, count;
	CrmPatternSyntax syntax = {.n_conditions = 2, .span = minutes_only, .user = &minute};
	int good = 0, wrong = 0;

	for (int round = 0; round < 200000; round++)
	{
		CrmPatternError error = {SIZE_MAX, NULL, NULL};
		CrmPattern pattern;
		char text[120] = "", *exact;
		CrmStatus status;
		size_t bytes;

		for (int left = (int) draw_below(12); left > 0; left--)
			strcat(text, pieces[draw_below(sizeof pieces / sizeof pieces[0])]);
		bytes = strlen(text);
		exact = malloc(bytes + (bytes == 0)); /* so that a byte too many shows */
		memcpy(exact, text, bytes);
		status = crm_pattern_read(&pattern, exact, bytes, &syntax, &error);
		free(exact);
		if (status == CRM_OK)
		{
			good++;
			wrong += crm_pattern_count(ctx, &pattern, rows, 4, INT64_MAX, &count) != CRM_OK ||
					 count > 4 / pattern.n;
		}
		else
			wrong += status != CRM_DOMAIN || error.at > bytes || error.what == NULL;
	}
	ok(good > 2000 && wrong == 0, "of 200000 texts %d are patterns, the others errors", good);
}

/* Long rows: the longest of patterns, and polls wherever time goes. */
static void
try_long(Host *host, CrmCtx *ctx)
{
	static CrmConditions rows[300000];
	const char *texts[] = {"(?2)", "(?1).*(?1).*(?2)", "(?1)(?t>=1)(?1)(?t>=1)(?1)(?t>=1)(?2)"};
	CrmPatternSyntax syntax = {.n_conditions = 2};
	CrmPatternError error;
	CrmPattern pattern;
	int64_t count;
	int not_aborted = 0;

	for (int i = 0; i < 300000; i++)
		rows[i] = (CrmConditions){i < 299999 ? 0 : 5000000, 1};
	for (int t = 0; t < 3; t++)
	{
		size_t polls;

		crm_pattern_read(&pattern, texts[t], strlen(texts[t]), &syntax, &error);
		host->tap.polls = 0;
		crm_pattern_count(ctx, &pattern, rows, 300000, 1, &count);
		polls = host->tap.polls;
		ok(polls >= (t == 2 ? 20 : 4) && count == 0, "%s: %zu polls", texts[t], polls);
		for (size_t at = 1; at <= polls; at++)
		{
			host->tap.polls = 0;
			host->tap.abort_at = at;
			not_aborted += crm_pattern_count(ctx, &pattern, rows, 300000, 1, &count) != CRM_ABORTED;
		}
		host->tap.abort_at = 0;
	}
	ok(not_aborted == 0, "a poll ends it at any point");
	for (size_t at = 1; at <= 3; at++)
	{
		host->tap.allocations = 0;
		host->tap.fail_at = at;
		ok(crm_pattern_count(ctx, &pattern, rows, 300000, 1, &count) == CRM_NO_MEMORY,
		   "no memory for time %zu", at);
	}
	host->tap.fail_at = 0;
	crm_pattern_read(&pattern, "(?1)(?t<=5)(?1)(?t<9)(?2)", 25, &syntax, &error);
	host->tap.allocations = 0;
	crm_pattern_count(ctx, &pattern, rows, 300000, 1, &count);
	ok(host->tap.allocations == 0 && pattern.n == 3, "times without a least take no memory");
	crm_pattern_read(&pattern, texts[2], strlen(texts[2]), &syntax, &error);
	ctx->limit = 3 * 300000 / 8;
	ok(crm_pattern_count(ctx, &pattern, rows, 300000, 1, &count) == CRM_LIMIT, "the budget");
	ctx->limit = 3 * 300000 / 8 + 100;
	ok(crm_pattern_count(ctx, &pattern, rows, 300000, 1, &count) == CRM_OK, "is n / 8 for each");
	is_clean(&host->tap, "each search");
}

/* The edges of time. */
static void
try_edges(CrmCtx *ctx)
{
	const CrmConditions rows[] = {{INT64_MIN, 1}, {INT64_MAX, 1}};
	const char *texts[] = {"(?1)(?t>9223372036854)(?1)", "(?1)(?t<=9223372036854)(?1)",
						   "(?1)(?t<0)(?1)", "(?1)(?t>=5)(?t<=4)(?1)"};
	const int want[] = {1, 0, 0, 0};
	CrmPatternSyntax syntax = {.n_conditions = 1};
	CrmPatternError error;
	CrmPattern pattern;
	int64_t count;

	for (int t = 0; t < 4; t++)
	{
		crm_pattern_read(&pattern, texts[t], strlen(texts[t]), &syntax, &error);
		crm_pattern_count(ctx, &pattern, rows, 2, INT64_MAX, &count);
		is_int(count, want[t], texts[t]);
	}
	crm_pattern_count(ctx, &pattern, rows, 0, INT64_MAX, &count);
	is_int(count, 0, "no rows");
}

int
main(void)
{
	Host host;
	CrmCtx *ctx = host_begin(&host);

	try_random(&host, ctx);
	try_syntax();
	try_texts(ctx);
	try_long(&host, ctx);
	try_edges(ctx);
	return tap_done();
}
