/* evlog: an event log that you can grep.  Here are the table of verbs and the exit statuses. */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>

#include "evlog.h"
#include "os/proc.h"

static const struct opt common_options[] = {
    {'s', "store", "STORE", "dir", "a directory, as path or file:DIR; default: $EVLOG_STORE"},
    {'w', "wait", "DURATION", NULL, "wait at most that long for another writer"},
    {0},
};

#define SELECTOR "STREAM|PREFIX*|--all"

static const struct verb verbs[] = {
    {"append", append_run,
     "STREAM [-t TYPE] [-x VERSION] [-i ID] [-m NAME=VALUE]... [FILE|-]...\n"
     "--batch [--check STREAM=VERSION]... [FILE|-]...",
     "add events from lines of JSON", append_options, 0, "file"},
    {"read", read_run, "[" SELECTOR "|-] [OPTION]...", "print events", read_options, 0, NULL},
    {"tail", tail_run, "[" SELECTOR "] [-f] [OPTION]...", "print the last events, and what comes",
     tail_options, 0, NULL},
    {"get", get_run, "SEQUENCE|STREAM@VERSION", "print one event", get_options, 0, NULL},
    {"consume", consume_run,
     "NAME [" SELECTOR "] [-f] [-n N] [--group K/N] [--stream] [OPTION]... -- CMD [ARGUMENT]...",
     "give events to a command, batch by batch", consume_options, VERB_DASHES, NULL},
    {"next", next_run, "NAME [" SELECTOR "] [-n N] [--group K/N]",
     "print what a consumer gets next", next_options, 0, NULL},
    {"ack", ack_run, "NAME SEQUENCE [--group K/N]", "move a consumer's cursor on", ack_options, 0,
     NULL},
    {"cursor", cursor_run,
     "ls [--json]\n"
     "set NAME SEQUENCE\n"
     "rm NAME\n"
     "lag NAME|--all [--max N]",
     "list, set and remove cursors; how far behind they are", cursor_options, 0, "ls set rm lag"},
    {"version", version_run, "STREAM", "print a stream's last version, or none", NULL, 0, NULL},
    {"head", head_run, "", "print the last sequence", NULL, 0, NULL},
    {"streams", streams_run, "[-l] [PREFIX*]", "list the streams", streams_options, 0, NULL},
    {"types", types_run, "", "count the events of each type", NULL, 0, NULL},
    {"handle", handle_run, "STREAM -e FILE [-i ID] [OPTION]... -- DECIDE [ARG]...",
     "decide a command on a stream's state, and append its events", handle_options, VERB_DASHES,
     NULL},
    {"fold", fold_run, "STREAM -e FILE [--init JSON] [--at VERSION] [OPTION]...",
     "print the state of a stream", fold_options, 0, NULL},
    {"test", test_run, "SPEC [-e FILE] [OPTION]... [-- DECIDE [ARG]...]",
     "check examples: given, when, then", test_options, VERB_DASHES, "file"},
    {"snapshot", snapshot_run, "ls [STREAM|PREFIX*|--all]\nrm STREAM|PREFIX*|--all",
     "list or remove the states that are kept", snapshot_options, 0, "ls rm"},
    {"rm", rm_run, "[--hard] [-x VERSION] [-q] STREAM", "delete a stream", rm_options, 0, NULL},
    {"retain", retain_run,
     "[STREAM|PREFIX*]\n"
     "STREAM|PREFIX* [--max-age DURATION] [--max-count N] [--before VERSION]\n"
     "STREAM|PREFIX* --none",
     "show or set how much of streams is kept", retain_options, 0, NULL},
    {"compact", compact_run, "[--dry-run] [--force] [-q]", "remove from the log what is hidden",
     compact_options, 0, NULL},
    {"project", project_run,
     "NAME [" SELECTOR "] -j FILE --into TARGET [OPTION]...\n"
     "--check -j FILE",
     "keep tables, files or anything else up to date with the log", project_options, 0, NULL},
    {"query", query_run, "NAME [[TABLE/]KEY...] [--min-seq SEQ] [--timeout D]",
     "print a row of what a projection keeps", query_options, 0, NULL},
    {"init", init_run, "[--shared] [DIR]", "make a store", init_options, 0, "dir"},
    {"stat", stat_run, "[--json]", "show size and state of the store", stat_options, 0, NULL},
    {"verify", verify_run, "[--deep] [-q]", "check the store", verify_options, 0, NULL},
    {"repair", repair_run, "", "make a damaged or poisoned store writable again", NULL, 0, NULL},
    {"reindex", reindex_run, "", "make the index anew from the log", NULL, 0, NULL},
    {"backup", backup_run, "[--copy] DIR", "copy the store while it is used", backup_options, 0,
     "dir"},
    {"restore", restore_run, "DIR", "make the store from a backup", NULL, 0, "dir"},
    {"export", export_run, "[" SELECTOR "]", "print events for import", export_options, 0, NULL},
    {"import", import_run, "[FILE|-]...", "add events with their ids, versions and times",
     import_options, 0, "file"},
    {0},
};

static const struct tool_spec spec = {
    .name = "evlog",
    .summary = "An event log that you can grep.",
    .synopsis = "[-s STORE] VERB [ARGUMENT]...",
    .verbs = verbs,
    .options = common_options,
};

int status_of(const struct err *e)
{
	switch (e->code) {
	case EVLOG_DAMAGED:
	case EVLOG_GAP:
		return STATUS_DAMAGED;
	case EVLOG_CONFLICT:
		return STATUS_CONFLICT;
	case EVLOG_ID_REUSED:
		return STATUS_ID_REUSED;
	case EVLOG_DELETED:
		return STATUS_DELETED;
	case EVLOG_NO_STREAM:
		return TOOL_NO;
	case EVLOG_BAD_EVENT:
	case EBADMSG:
		return TOOL_DATA;
	case EVLOG_NO_STORE:
	case ENOENT:
	case ENOTDIR:
	case EISDIR:
		return TOOL_NOINPUT;
	case EVLOG_FOREIGN:
		return TOOL_CONFIG;
	case EVLOG_READ_ONLY:
	case EACCES:
	case EPERM:
	case EROFS:
		return TOOL_NOPERM;
	case EEXIST:
	case ENOTEMPTY:
		return TOOL_CANTCREAT;
	case ETIMEDOUT:
		return TOOL_TEMPFAIL;
	case PROC_NOT_FOUND: /* jq, or a helper of ours; commands of the user are asked apart */
	case PROC_NOT_EXECUTABLE:
		return TOOL_UNAVAILABLE;
	case ENOMEM:
		return TOOL_OSERR;
	default: /* EVLOG_POISONED and what the disk says */
		return TOOL_IOERR;
	}
}

int fail_soft(const struct err *e)
{
	tool_warn("%s", e->msg);
	return status_of(e);
}

void fail(const struct err *e)
{
	tool_die(status_of(e), e);
}

void *grow(void *array, size_t count, size_t size)
{
	void *p = reallocarray(array, count, size);

	if (p == NULL)
		tool_dief(TOOL_OSERR, "out of memory");
	return p;
}

int main(int argc, char **argv)
{
	/* So that a file over the limit is EFBIG, which is told like a full disk. */
	signal(SIGXFSZ, SIG_IGN);
	return tool_main(&spec, argc, argv);
}
