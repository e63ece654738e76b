/*
 * replay: runs a fuzz target over the files of its corpus, as a plain test and with any compiler.
 *
 * usage: f_NAME [-v] DIR...
 *
 * Each input is handed over in an allocation of exactly its size, so that a read past its end is
 * seen by a sanitizer or valgrind.  -v names each input first: the last name is the one that
 * crashed.  No input at all is a failure: an empty corpus proves nothing.
 */
#include <dirent.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool verbose;

static void fail(const char *what, const char *path)
{
	fprintf(stderr, "replay: %s: ", what);
	perror(path);
	exit(1);
}

static void run_file(const char *path)
{
	FILE *f = fopen(path, "re");
	uint8_t *data = NULL;
	struct stat st;
	size_t size;

	if (verbose)
		fprintf(stderr, "%s\n", path);
	if (f == NULL || fstat(fileno(f), &st) < 0)
		fail("open", path);
	size = (size_t)st.st_size;
	data = malloc(size > 0 ? size : 1);
	if (data == NULL || fread(data, 1, size, f) != size)
		fail("read", path);
	fclose(f);
	(void)LLVMFuzzerTestOneInput(data, size);
	free(data);
}

static unsigned run_dir(const char *path)
{
	struct dirent **names;
	unsigned inputs = 0;
	int n = scandir(path, &names, NULL, alphasort);

	if (n < 0)
		fail("read directory", path);
	for (int i = 0; i < n; i++) {
		char child[4096];

		snprintf(child, sizeof(child), "%s/%s", path, names[i]->d_name);
		if (names[i]->d_name[0] != '.') {
			run_file(child);
			inputs++;
		}
		free(names[i]);
	}
	free(names);
	return inputs;
}

int main(int argc, char **argv)
{
	unsigned inputs = 0;

	for (int i = 1; i < argc; i++)
		if (strcmp(argv[i], "-v") == 0)
			verbose = true;
		else
			inputs += run_dir(argv[i]);
	printf("# %u inputs\n", inputs);
	return inputs == 0;
}
