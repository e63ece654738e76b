/*
 * evlog_worker: a command for `evlog consume --stream` that does a little for each event: it
 * parses the line and adds up the lengths of its data.  A batch ends with an empty line and is
 * answered on descriptor 3; with "-q" nobody is answered, and the same program reads a plain file.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/json.h"

int main(int argc, char **argv)
{
	bool answers = argc < 2 || strcmp(argv[1], "-q") != 0;
	uint64_t events = 0;
	uint64_t sum = 0;
	char *line = NULL;
	size_t cap = 0;
	ssize_t n;

	while ((n = getline(&line, &cap, stdin)) > 0) {
		const struct json_value *data;
		struct json_doc d;
		struct err e;

		if (n == 1) {
			if (answers && write(3, "ok\n", 3) != 3)
				return 1;
			continue;
		}
		if (json_scan(line, (size_t)n - 1, &d, &e) < 0)
			return 65;
		data = json_find(&d, "data");
		sum += data != NULL ? data->len : 0;
		events++;
	}
	free(line);
	printf("%ju %ju\n", (uintmax_t)events, (uintmax_t)sum);
	return 0;
}
