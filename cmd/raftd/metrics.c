#include "metrics.h"

#include "api_route.h"
#include "base/json_out.h"
#include "base/text.h"

enum metric {
	M_TERM,
	M_LAST_INDEX,
	M_COMMIT_INDEX,
	M_APPLIED_INDEX,
	M_SNAPSHOT_INDEX,
	M_IS_LEADER,
	M_HAS_LEADER,
	M_LEADER_CHANGES,
	M_MEMBERS,
	M_UNCOMMITTED_BYTES,
	M_LOG_BYTES,
	M_STALLED,
	M_PROPOSALS,
	M_READS,
	M_SYNCS,
	M_SYNC_TIME,
	M_SNAPSHOTS,
	M_WAITING_PROPOSALS,
	M_WAITING_READS,
	M_WAITING_WATCHES,
	M_KEYS,
	M_SESSIONS,
	M_LOCKS,
	M_TOMBSTONES,
	M_KV_BYTES,
	M_CONNECTIONS,
	M_ACCEPTED,
	M_REFUSED,
	M_REQUESTS,
	M_BAD_REQUESTS,
	M_BYTES_IN,
	M_BYTES_OUT,
	M_START,
	M_COUNT
};

enum kind { GAUGE, COUNTER };

/* Values are whole numbers; of is_ns nanoseconds, told in seconds. */
static const struct description {
	const char *name, *consul, *help;
	enum kind kind;
	bool is_ns;
} descriptions[M_COUNT] = {
    [M_TERM] = {"raftd_raft_term", "raftd.raft.term", "The current term.", GAUGE, false},
    [M_LAST_INDEX] = {"raftd_raft_last_index", "consul.raft.last_index",
                      "The index of the last entry of the log.", GAUGE, false},
    [M_COMMIT_INDEX] = {"raftd_raft_commit_index", "raftd.raft.commit_index",
                        "The index up to which entries are committed.", GAUGE, false},
    [M_APPLIED_INDEX] = {"raftd_raft_applied_index", "consul.raft.applied_index",
                         "The index up to which entries are applied.", GAUGE, false},
    [M_SNAPSHOT_INDEX] = {"raftd_raft_snapshot_index", "raftd.raft.snapshot_index",
                          "The index of the newest snapshot.", GAUGE, false},
    [M_IS_LEADER] = {"raftd_raft_is_leader", "consul.server.isLeader", "1 when this node leads.",
                     GAUGE, false},
    [M_HAS_LEADER] = {"raftd_raft_has_leader", "raftd.raft.has_leader",
                      "1 when this node knows a leader.", GAUGE, false},
    [M_LEADER_CHANGES] = {"raftd_raft_leader_changes_total", "raftd.raft.leader_changes",
                          "How often another leader, or none, was seen.", COUNTER, false},
    [M_MEMBERS] = {"raftd_raft_members", "consul.raft.peers", "Members of the cluster.", GAUGE,
                   false},
    [M_UNCOMMITTED_BYTES] = {"raftd_raft_uncommitted_bytes", "raftd.raft.uncommitted_bytes",
                             "Proposals that are not committed yet.", GAUGE, false},
    [M_LOG_BYTES] = {"raftd_raft_log_memory_bytes", "raftd.raft.log_bytes",
                     "Entries of the log that are in memory.", GAUGE, false},
    [M_STALLED] = {"raftd_disk_stall_seconds", "raftd.disk.stall",
                   "The age of the oldest write that is not on disk yet.", GAUGE, true},
    [M_PROPOSALS] = {"raftd_proposals_total", "consul.raft.apply",
                     "Commands that were proposed here.", COUNTER, false},
    [M_READS] = {"raftd_reads_total", "raftd.reads", "Linearizable reads that were asked here.",
                 COUNTER, false},
    [M_SYNCS] = {"raftd_disk_syncs_total", "raftd.disk.syncs", "Syncs of the log.", COUNTER, false},
    [M_SYNC_TIME] = {"raftd_disk_sync_seconds_total", "raftd.disk.sync",
                     "Time spent in syncs of the log.", COUNTER, true},
    [M_SNAPSHOTS] = {"raftd_snapshots_total", "raftd.snapshots", "Snapshots taken.", COUNTER,
                     false},
    [M_WAITING_PROPOSALS] = {"raftd_waiting_proposals", "raftd.waiting.proposals",
                             "Proposals that wait for their entry.", GAUGE, false},
    [M_WAITING_READS] = {"raftd_waiting_reads", "raftd.waiting.reads",
                         "Reads that wait for their round.", GAUGE, false},
    [M_WAITING_WATCHES] = {"raftd_waiting_watches", "consul.rpc.queries_blocking",
                           "Blocking queries that wait for a change.", GAUGE, false},
    [M_KEYS] = {"raftd_kv_keys", "consul.state.kv_entries", "Keys of the store.", GAUGE, false},
    [M_SESSIONS] = {"raftd_kv_sessions", "raftd.kv.sessions", "Sessions.", GAUGE, false},
    [M_LOCKS] = {"raftd_kv_locked_keys", "raftd.kv.locked_keys", "Keys that a session holds.",
                 GAUGE, false},
    [M_TOMBSTONES] = {"raftd_kv_tombstones", "raftd.kv.tombstones",
                      "Deleted keys whose deletion is still known.", GAUGE, false},
    [M_KV_BYTES] = {"raftd_kv_memory_bytes", "raftd.kv.bytes", "Memory that the store takes.",
                    GAUGE, false},
    [M_CONNECTIONS] = {"raftd_http_connections", "consul.http.connections",
                       "Connections of clients.", GAUGE, false},
    [M_ACCEPTED] = {"raftd_http_connections_accepted_total", "raftd.http.accepted",
                    "Connections that were accepted.", COUNTER, false},
    [M_REFUSED] = {"raftd_http_connections_refused_total", "raftd.http.refused",
                   "Connections above the limit.", COUNTER, false},
    [M_REQUESTS] = {"raftd_http_requests_total", "raftd.http.requests", "Requests.", COUNTER,
                    false},
    [M_BAD_REQUESTS] = {"raftd_http_bad_requests_total", "raftd.http.bad_requests",
                        "What came and was no request.", COUNTER, false},
    [M_BYTES_IN] = {"raftd_http_received_bytes_total", "raftd.http.received", "Bytes from clients.",
                    COUNTER, false},
    [M_BYTES_OUT] = {"raftd_http_sent_bytes_total", "raftd.http.sent", "Bytes to clients.", COUNTER,
                     false},
    [M_START] = {"raftd_start_time_seconds", "raftd.start_time",
                 "When the process began, since 1970.", GAUGE, true},
};

static void get_raft(const struct api *api, uint64_t v[M_COUNT])
{
	struct raft_view view;

	raft_look(node_raft(api->node), &view);
	v[M_TERM] = view.term;
	v[M_LAST_INDEX] = view.last.index;
	v[M_COMMIT_INDEX] = view.commit;
	v[M_APPLIED_INDEX] = kv_applied_index(node_kv(api->node));
	v[M_SNAPSHOT_INDEX] = view.snapshot.index;
	v[M_IS_LEADER] = view.role == RAFT_LEADER;
	v[M_HAS_LEADER] = view.leader != 0;
	v[M_MEMBERS] = view.conf->count;
	v[M_UNCOMMITTED_BYTES] = view.uncommitted_bytes;
	v[M_LOG_BYTES] = view.log_bytes;
	v[M_STALLED] = view.stalled_ns;
}

static void get_node(const struct api *api, uint64_t v[M_COUNT])
{
	struct node_stat s;

	node_get_stat(api->node, &s);
	v[M_LEADER_CHANGES] = s.leader_changes;
	v[M_PROPOSALS] = s.proposals;
	v[M_READS] = s.reads;
	v[M_SYNCS] = s.syncs;
	v[M_SYNC_TIME] = s.sync_ns;
	v[M_SNAPSHOTS] = s.snapshots;
	v[M_WAITING_PROPOSALS] = s.waiting_proposals;
	v[M_WAITING_READS] = s.waiting_reads;
	v[M_WAITING_WATCHES] = s.waiting_watches;
}

static void get_kv(const struct api *api, uint64_t v[M_COUNT])
{
	struct kv_stat s;

	kv_get_stat(node_kv(api->node), &s);
	v[M_KEYS] = s.keys;
	v[M_SESSIONS] = s.sessions;
	v[M_LOCKS] = s.held;
	v[M_TOMBSTONES] = s.tombstones;
	v[M_KV_BYTES] = s.bytes;
}

static void get_http(const struct api *api, uint64_t v[M_COUNT])
{
	struct http_server_stat s;

	http_server_get_stat(api->server, &s);
	v[M_CONNECTIONS] = s.connections;
	v[M_ACCEPTED] = s.accepted;
	v[M_REFUSED] = s.refused;
	v[M_REQUESTS] = s.requests;
	v[M_BAD_REQUESTS] = s.bad_requests;
	v[M_BYTES_IN] = s.bytes_in;
	v[M_BYTES_OUT] = s.bytes_out;
}

static void get_all(const struct api *api, uint64_t v[M_COUNT])
{
	get_raft(api, v);
	get_node(api, v);
	get_kv(api, v);
	get_http(api, v);
	v[M_START] = (uint64_t)api->started_ns;
}

static void put_value(struct buf *to, const struct description *d, uint64_t v)
{
	if (d->is_ns)
		buf_printf(to, "%llu.%09llu", (unsigned long long)(v / TEXT_NS_PER_S),
		           (unsigned long long)(v % TEXT_NS_PER_S));
	else
		json_out_u64(to, v);
}

/* ---- Prometheus. */

/* The escapes of a label are \\, \" and \n; a name may be any bytes. */
static void put_label(struct buf *to, const char *name, const char *value)
{
	buf_printf(to, "%s=\"", name);
	for (; *value != '\0'; value++) {
		if (*value == '\\' || *value == '"')
			buf_add_char(to, '\\');
		if (*value == '\n')
			buf_add_str(to, "\\n");
		else
			buf_add_char(to, *value);
	}
	buf_add_char(to, '"');
}

static void put_head(struct buf *to, const char *name, const char *help, enum kind kind)
{
	buf_printf(to, "# HELP %s %s\n# TYPE %s %s\n", name, help, name,
	           kind == GAUGE ? "gauge" : "counter");
}

void metrics_put_prometheus(struct buf *to, const struct api *api)
{
	uint64_t v[M_COUNT] = {0};

	get_all(api, v);
	put_head(to, "raftd_build_info", "Always 1; the labels say what runs.", GAUGE);
	buf_add_str(to, "raftd_build_info{");
	put_label(to, "version", SHOAL_VERSION);
	buf_add_char(to, ',');
	put_label(to, "name", api->name);
	buf_add_char(to, ',');
	put_label(to, "node", api->id);
	buf_add_str(to, "} 1\n");
	for (unsigned m = 0; m < M_COUNT; m++) {
		const struct description *d = &descriptions[m];

		put_head(to, d->name, d->help, d->kind);
		buf_printf(to, "%s ", d->name);
		put_value(to, d, v[m]);
		buf_add_char(to, '\n');
	}
}

/* ---- Consul. */

static void put_gauge(struct buf *to, const struct description *d, uint64_t v)
{
	buf_add_str(to, "{\"Name\":\"");
	buf_add_str(to, d->consul);
	buf_add_str(to, "\",\"Value\":");
	put_value(to, d, v);
	buf_add_str(to, ",\"Labels\":{}}");
}

/* Consul's are of the last ten seconds; these are of the process. */
static void put_counter(struct buf *to, const struct description *d, uint64_t v)
{
	buf_add_str(to, "{\"Name\":\"");
	buf_add_str(to, d->consul);
	buf_add_str(to, "\",\"Count\":");
	put_value(to, d, v);
	buf_add_str(to, ",\"Sum\":");
	put_value(to, d, v);
	buf_add_str(to, ",\"Min\":0,\"Max\":0,\"Mean\":0,\"Stddev\":0,\"Labels\":{}}");
}

static void put_all(struct buf *to, enum kind kind, const uint64_t v[M_COUNT])
{
	const char *before = "[";

	for (unsigned m = 0; m < M_COUNT; m++) {
		if (descriptions[m].kind != kind)
			continue;
		buf_add_str(to, before);
		if (kind == GAUGE)
			put_gauge(to, &descriptions[m], v[m]);
		else
			put_counter(to, &descriptions[m], v[m]);
		before = ",";
	}
	buf_add_char(to, ']');
}

void metrics_put_json(struct buf *to, const struct api *api, int64_t wall_ns)
{
	uint64_t v[M_COUNT] = {0};
	char time[TEXT_TIME_LEN];

	get_all(api, v);
	/* 2026-11-23T10:00:00.123456Z in Consul's form. */
	text_put_time(time, wall_ns);
	buf_printf(to, "{\"Timestamp\":\"%.10s %.8s +0000 UTC\",\"Gauges\":", time, time + 11);
	put_all(to, GAUGE, v);
	json_out_key(to, "Points");
	buf_add_str(to, "[]");
	json_out_key(to, "Counters");
	put_all(to, COUNTER, v);
	json_out_key(to, "Samples");
	buf_add_str(to, "[]}");
}
