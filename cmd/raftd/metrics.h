/*
 * metrics: the numbers that a node tells about itself, for Prometheus and for Consul's clients.
 *
 * Names stay what they are: of Prometheus raftd_PART_WHAT_UNIT, of Consul's JSON the names that its
 * own servers use where the number means the same, else raftd.PART.WHAT.
 */
#ifndef SHOAL_RAFTD_METRICS_H
#define SHOAL_RAFTD_METRICS_H

#include "api.h"

/* Append all of them as Prometheus' text format 0.0.4. */
void metrics_put_prometheus(struct buf *to, const struct api *api);
/* Append what /v1/agent/metrics answers: {"Timestamp":..., "Gauges":[...], ...}. */
void metrics_put_json(struct buf *to, const struct api *api, int64_t wall_ns);

#endif
