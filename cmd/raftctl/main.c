/* raftctl: a key-value store at the prompt.  Here is the table of its verbs. */
#include "raftctl.h"

static const struct opt common_options[] = {
    {'s', "store", "STORE", NULL, "http://HOST:PORT,... or unix:PATH; default: $RAFTD_STORE"},
    {OPT_TIMEOUT, "timeout", "DURATION", NULL, "for all of it (10s)"},
    {0},
};

static const struct verb verbs[] = {
    {"get", get_run, "KEY [--wait[=DURATION]] [--json]", "print the value of a key", get_options, 0,
     NULL},
    {"put", put_run, "KEY VALUE|- [--ttl DURATION] [--flags N]", "set the value of a key",
     put_options, 0, NULL},
    {"cas", cas_run, "KEY INDEX VALUE|- [--flags N]", "set it only when its index is INDEX",
     cas_options, 0, NULL},
    {"del", del_run,
     "KEY [-x INDEX]\n"
     "PREFIX --recurse\n"
     "--all",
     "delete keys", del_options, 0, NULL},
    {"ls", ls_run, "[PREFIX] [--separator TEXT | --json] [-0]", "list keys", ls_options, 0, NULL},
    {"watch", watch_run,
     "KEY [--since INDEX] [--once] [-- CMD [ARGUMENT]...]\n"
     "--prefix PREFIX [--since INDEX] [--once] [-- CMD [ARGUMENT]...]",
     "tell each change, or give it to a command", watch_options, VERB_DASHES, NULL},
    {"txn", txn_run, "", "do what stdin says, all or nothing", NULL, 0, NULL},
    {"session", session_run,
     "create [--ttl DURATION] [--behavior WHAT] [--lock-delay DURATION] [--name NAME]\n"
     "renew ID\n"
     "destroy ID\n"
     "info ID\n"
     "ls [--json]",
     "make, renew and end sessions", session_options, 0, "create renew destroy info ls"},
    {"status", status_run, "[--json]", "who leads, who is a member, how far they are",
     status_options, 0, NULL},
    {0},
};

static const struct tool_spec spec = {
    .name = "raftctl",
    .summary = "a key-value store at the prompt: raftd's, or one with Consul's API",
    .synopsis = "[-s STORE] VERB [ARGUMENT]...",
    .verbs = verbs,
    .options = common_options,
};

int main(int argc, char **argv)
{
	return tool_main(&spec, argc, argv);
}
