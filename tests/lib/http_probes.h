/*
 * http_probes: requests, good and bad, and what each is answered with (0: none is refused, 1: more
 * is waited for).
 */
#ifndef SHOAL_TESTS_HTTP_PROBES_H
#define SHOAL_TESTS_HTTP_PROBES_H

#include "base/span.h"

#define BYTES(s)                 \
	{                        \
		s, sizeof(s) - 1 \
	}

#define GET  "GET / HTTP/1.1\r\n"
#define PUT  "PUT /x HTTP/1.1\r\nHost: a\r\n"
#define COD  PUT "Transfer-Encoding: chunked\r\n\r\n"
#define HOST "Host: a\r\n"

enum { DONE = 0, WAITS = 1 };

static const struct probe {
	unsigned status;
	struct span bytes;
} probes[] = {
    {DONE, BYTES(GET HOST "\r\n")},
    {DONE, BYTES("\r\n\r\n" GET HOST "\r\n")},
    {DONE, BYTES("GET / HTTP/1.0\r\n\r\n")},
    {DONE, BYTES("GET http://a/x HTTP/1.1\r\n" HOST "\r\n")},
    {DONE, BYTES("OPTIONS * HTTP/1.1\r\n" HOST "\r\n")},
    {DONE, BYTES("GET /\xc3\xbc HTTP/1.1\r\n" HOST "\r\n")},
    {WAITS, BYTES(GET HOST)},
    {WAITS, BYTES(GET HOST "\r")},
    {WAITS, BYTES("\r\n\n\n")},
    /* Two messages where one was meant. */
    {400, BYTES(PUT "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n")},
    {400, BYTES(PUT "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n")},
    {400, BYTES(PUT "Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello!")},
    {400, BYTES(PUT "Content-Length: 5\r\nContent-Length: 5\r\n\r\nhello")},
    {400, BYTES(PUT "Content-Length: 5, 5\r\n\r\nhello")},
    {400, BYTES(PUT "Content-Length: 5\r\nTransfer-Encoding: gzip, chunked\r\n\r\n")},
    {400, BYTES(PUT "Content-Length: 5\r\nTransfer-Encoding: xchunked\r\n\r\n")},
    {501, BYTES(PUT "Transfer-Encoding: gzip, chunked\r\n\r\n")},
    {501, BYTES(PUT "Transfer-Encoding: xchunked\r\n\r\n")},
    {501, BYTES(PUT "Transfer-Encoding: chunked, identity\r\n\r\n")},
    {501, BYTES(PUT "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n")},
    {501, BYTES(PUT "Transfer-Encoding: \"chunked\"\r\n\r\n")},
    {400, BYTES(PUT "Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n")},
    {501, BYTES(PUT "Transfer-Encoding:\x0b"
                    "chunked\r\n\r\n0\r\n\r\n")},
    {400, BYTES("PUT / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n")},
    {400, BYTES(PUT "Content-Length: +5\r\n\r\nhello")},
    {400, BYTES(PUT "Content-Length: -1\r\n\r\nhello")},
    {400, BYTES(PUT "Content-Length: 0x5\r\n\r\nhello")},
    {400, BYTES(PUT "Content-Length: 5 5\r\n\r\nhello")},
    {400, BYTES(PUT "Content-Length:\r\n\r\n")},
    {400, BYTES(PUT "Content-Length: 18446744073709551621\r\n\r\nhello")},
    {413, BYTES(PUT "Content-Length: 9223372036854775807\r\n\r\nhello")},
    {400, BYTES(PUT "Content-Length : 5\r\n\r\nhello")},
    {400, BYTES(GET HOST "\nX: y\r\n\r\n")},
    {400, BYTES(GET "Host: a\n\r\n")},
    {400, BYTES("GET / HTTP/1.1\nHost: a\n\n")},
    {400, BYTES(GET HOST "X: y\rZ: z\r\n\r\n")},
    {400, BYTES(GET HOST "\rX")},
    {400, BYTES(GET HOST "X: y\r\n folded\r\n\r\n")},
    {400, BYTES(GET HOST "X: y\r\n\tfolded\r\n\r\n")},
    {400, BYTES(GET " Host: a\r\n\r\n")},
    {400, BYTES(GET HOST "X: a\0b\r\n\r\n")},
    {400, BYTES(GET HOST "X\0: ab\r\n\r\n")},
    {400, BYTES(GET HOST "X y: ab\r\n\r\n")},
    {400, BYTES(GET HOST ": ab\r\n\r\n")},
    {400, BYTES(GET HOST "no colon\r\n\r\n")},
    {400, BYTES("GET /\0 HTTP/1.1\r\n" HOST "\r\n")},
    {400, BYTES("GET /\x7f HTTP/1.1\r\n" HOST "\r\n")},
    {400, BYTES("GET /a\tb HTTP/1.1\r\n" HOST "\r\n")},
    /* Whose request is it? */
    {400, BYTES(GET "\r\n")},
    {400, BYTES(GET HOST "host: b\r\n\r\n")},
    {400, BYTES("GET / HTTP/1.0\r\n" HOST "Host: b\r\n\r\n")},
    /* Not for this server. */
    {501, BYTES("CONNECT a:1 HTTP/1.1\r\n" HOST "\r\n")},
    {505, BYTES("GET / HTTP/2.0\r\n" HOST "\r\n")},
    {505, BYTES("GET /\r\n\r\n")},
    {400, BYTES("get / HTTP/1.1\r\n" HOST "\r\n")},
    {400, BYTES("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")},
    {400, BYTES("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03")},
    {400, BYTES("SSH-2.0-OpenSSH_9.2\r\n")},
    /* Chunks. */
    {DONE, BYTES(COD "5\r\nhello\r\n0\r\n\r\n")},
    {DONE, BYTES(COD "5;a=b\r\nhello\r\n000\r\nX: y\r\n\r\n")},
    {DONE, BYTES(PUT "transfer-encoding: CHUNKED\r\n\r\n0\r\n\r\n")},
    {WAITS, BYTES(COD "5\r\nhello\r\n0\r\n")},
    {400, BYTES(COD "5\r\nhelloXX0\r\n\r\n")},
    {400, BYTES(COD "5\r\nhello!\r\n0\r\n\r\n")},
    {400, BYTES(COD "5\r\nhello\n0\r\n\r\n")},
    {400, BYTES(COD "5\nhello\r\n0\r\n\r\n")},
    {400, BYTES(COD "0x5\r\nhello\r\n0\r\n\r\n")},
    {400, BYTES(COD "+5\r\nhello\r\n0\r\n\r\n")},
    {400, BYTES(COD " 5\r\nhello\r\n0\r\n\r\n")},
    {400, BYTES(COD ";a\r\nhello\r\n0\r\n\r\n")},
    {400, BYTES(COD "\r\n0\r\n\r\n")},
    {400, BYTES(COD "5;a\nhello\r\n0\r\n\r\n")},
    {400, BYTES(COD "0\r\nX: y\n\r\n")},
    {400, BYTES(COD "0\r\n\rX")},
    {413, BYTES(COD "10000000000000005\r\nhello\r\n0\r\n\r\n")},
    {413, BYTES(COD "ffffffffffffffff\r\nhello\r\n")},
};

#endif
