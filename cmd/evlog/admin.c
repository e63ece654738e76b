/* admin: making stores and copies of stores: init, reindex, backup, restore. */
#include <stdlib.h>

#include "evlog.h"
#include "evlog/admin.h"

const struct opt init_options[] = {
    {OPT_SHARED, "shared", NULL, NULL, "let the directory's group use it: 2770 and 0660"},
    {OPT_SEGMENT_SIZE, "segment-size", "SIZE", NULL, "bytes of log in one file (64M)"},
    {0},
};

const struct opt backup_options[] = {
    {OPT_COPY, "copy", NULL, NULL, "copy every file instead of linking complete ones"},
    {0},
};

int init_run(struct opts *o)
{
	struct place place = {0};
	struct evlog_init settings = {0};
	bool is_default;
	struct err e;
	char *path;

	for (int id; (id = opts_next(o)) != -1;)
		switch (id) {
		case OPT_SHARED:
			settings.shared = true;
			break;
		case OPT_SEGMENT_SIZE:
			settings.segment_size = opts_size(o, EVLOG_SEGMENT_MIN, EVLOG_SEGMENT_MAX);
			break;
		default:
			place_option(&place, o, id);
		}
	opts_need(o, 0, 1, NULL);
	if (o->operand_count > 0 && place.url != NULL)
		tool_usage("-s and DIR name two stores");
	if (o->operand_count > 0)
		place.url = o->operands[0];
	path = place_path(&place, &is_default);
	if (place_create(path, is_default, &settings, &e) < 0)
		place_fail_to_create(&e);
	free(path);
	return TOOL_OK;
}

int reindex_run(struct opts *o)
{
	struct evlog *s = place_open_plain(o, 0, NULL);
	struct err e;

	if (evlog_reindex(s, &e) < 0)
		fail(&e);
	evlog_close(s);
	return TOOL_OK;
}

int backup_run(struct opts *o)
{
	struct place place = {0};
	bool copy = false;
	struct evlog *s;
	struct err e;
	uint64_t last;

	for (int id; (id = opts_next(o)) != -1;)
		if (id == OPT_COPY)
			copy = true;
		else
			place_option(&place, o, id);
	opts_need(o, 1, 1, "DIR");
	s = place_open(&place);
	if (evlog_backup(s, o->operands[0], copy, &last, &e) < 0)
		place_fail_to_create(&e);
	tool_printf("%020ju\n", (uintmax_t)last);
	evlog_close(s);
	return TOOL_OK;
}

int restore_run(struct opts *o)
{
	struct place place = {0};
	bool is_default;
	struct err e;
	char *path;

	for (int id; (id = opts_next(o)) != -1;)
		place_option(&place, o, id);
	opts_need(o, 1, 1, "DIR");
	path = place_path(&place, &is_default);
	if (is_default && tool_make_parents(path, &e) < 0)
		fail(&e);
	if (evlog_restore(o->operands[0], path, &io_os, &e) < 0)
		fail(&e);
	free(path);
	return TOOL_OK;
}
