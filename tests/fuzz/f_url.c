/* url: what was parsed and is written again as a URL must parse to the same. */
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/buf.h"
#include "base/url.h"
#include "fuzz.h"

static void put_escaped(struct buf *b, const char *s, const char *plain)
{
	for (; *s != '\0'; s++)
		if (strchr(plain, *s) != NULL)
			buf_add_char(b, *s);
		else
			buf_printf(b, "%%%02X", (unsigned)(unsigned char)*s);
}

static void put_hosts(struct buf *b, const struct url *u)
{
	buf_add_str(b, "//");
	if (u->user != NULL) {
		put_escaped(b, u->user, "abcxyz0189");
		buf_add_char(b, '@');
	}
	for (size_t i = 0; i < u->hosts; i++) {
		const struct url_host *h = &u->host[i];
		bool brackets = strpbrk(h->name, ":%") != NULL;

		CHECK(h->name[0] != '\0' && strlen(h->name) <= URL_HOST_LEN_MAX);
		CHECK(strpbrk(h->name, " /?,@[]#") == NULL);
		buf_printf(b, i > 0 ? ",%s%s%s" : "%s%s%s", brackets ? "[" : "", h->name,
		           brackets ? "]" : "");
		if (h->port != 0)
			buf_printf(b, ":%u", (unsigned)h->port);
	}
}

static void put_url(struct buf *b, const struct url *u)
{
	buf_printf(b, "%s:", url_scheme_name(u->scheme));
	if (u->hosts > 0)
		put_hosts(b, u);
	/* A path that begins with // would be taken for a host. */
	put_escaped(b, u->path, u->hosts > 0 ? "/abcxyz0189._-" : "abcxyz0189._-");
	for (size_t i = 0; i < u->params; i++) {
		buf_add_char(b, i == 0 ? '?' : '&');
		put_escaped(b, u->param[i].name, "abcxyz0189-");
		buf_add_char(b, '=');
		put_escaped(b, u->param[i].value, "abcxyz0189-/");
	}
	buf_add_char(b, '\0');
}

static void check_equal(const struct url *a, const struct url *b)
{
	CHECK(a->scheme == b->scheme && a->hosts == b->hosts && a->params == b->params);
	CHECK(strcmp(a->path, b->path) == 0);
	CHECK((a->user == NULL) == (b->user == NULL));
	CHECK(a->user == NULL || strcmp(a->user, b->user) == 0);
	for (size_t i = 0; i < a->hosts; i++) {
		CHECK(strcmp(a->host[i].name, b->host[i].name) == 0);
		CHECK(a->host[i].port == b->host[i].port);
	}
	for (size_t i = 0; i < a->params; i++) {
		CHECK(strcmp(a->param[i].name, b->param[i].name) == 0);
		CHECK(strcmp(a->param[i].value, b->param[i].value) == 0);
		CHECK(strcmp(url_param(b, a->param[i].name), a->param[i].value) == 0);
	}
}

static void check_parsed(const struct url *u)
{
	bool local = u->scheme == URL_FILE || u->scheme == URL_UNIX;
	struct buf text = {0};
	struct url again;
	struct err e;

	CHECK(u->hosts <= URL_HOSTS_MAX && u->params <= URL_PARAMS_MAX);
	CHECK(local ? u->hosts == 0 && u->path[0] != '\0' : u->hosts > 0);
	CHECK(local || u->path[0] == '\0' || u->path[0] == '/');
	for (size_t i = 0; i < u->params; i++)
		CHECK(strcasecmp(u->param[i].name, "password") != 0);
	put_url(&text, u);
	CHECK(buf_ok(&text, &e) == 0);
	if (url_parse(&again, text.data, &e) == 0) {
		check_equal(u, &again);
		url_done(&again);
	} else {
		CHECK(e.code == E2BIG); /* escapes made it longer */
	}
	buf_done(&text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = malloc(size + 1);
	struct url u;
	struct err e;

	if (text == NULL)
		return 0;
	memcpy(text, data, size);
	text[size] = '\0';
	if (url_parse(&u, text, &e) == 0)
		check_parsed(&u);
	else
		CHECK(e.code == EINVAL || e.code == E2BIG);
	url_done(&u);
	free(text);
	return 0;
}
