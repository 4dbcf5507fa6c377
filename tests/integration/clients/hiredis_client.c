/* hiredis against the server whose port is the argument: each check prints one line, the first that
 * fails ends the program with 1. Debian's hiredis speaks RESP2. */
#include <hiredis/hiredis.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { kPipeline = 1000 };

static void Check(int holds, const char *what) {
  if (!holds) {
    printf("FAILED: %s\n", what);
    exit(1);
  }
  printf("ok: %s\n", what);
}

/* The reply, which must be of this type. */
static redisReply *Expect(redisContext *context, redisReply *reply, int type, const char *what) {
  if (reply == NULL) printf("no reply: %s\n", context->errstr);
  else if (reply->type != type) printf("type %d: %s\n", reply->type, reply->str ? reply->str : "");
  Check(reply != NULL && reply->type == type, what);
  return reply;
}

static redisContext *Connect(int port) {
  const struct timeval limit = {20, 0};
  redisContext *context = redisConnectWithTimeout("127.0.0.1", port, limit);
  Check(context != NULL && context->err == 0, "connect");
  redisSetTimeout(context, limit);
  return context;
}

static void Binary(redisContext *context) {
  unsigned char bytes[256];
  for (int i = 0; i < 256; ++i) bytes[i] = (unsigned char)i;
  freeReplyObject(Expect(context,
                         redisCommand(context, "SET %b %b", bytes, sizeof(bytes), bytes, sizeof(bytes)),
                         REDIS_REPLY_STATUS, "SET of a binary key"));
  redisReply *reply = Expect(context, redisCommand(context, "GET %b", bytes, sizeof(bytes)),
                             REDIS_REPLY_STRING, "GET of a binary key");
  Check(reply->len == sizeof(bytes) && memcmp(reply->str, bytes, sizeof(bytes)) == 0, "its value");
  freeReplyObject(reply);
  freeReplyObject(Expect(context, redisCommand(context, "GET none"), REDIS_REPLY_NIL, "GET of none"));
}

static void Pipeline(redisContext *context) {
  int right = 0;
  for (int i = 0; i < kPipeline; ++i) {
    redisAppendCommand(context, "SET p:%d %d", i, i);
    redisAppendCommand(context, "GET p:%d", i);
  }
  for (int i = 0; i < kPipeline; ++i) {
    redisReply *stored = NULL, *value = NULL;
    if (redisGetReply(context, (void **)&stored) != REDIS_OK) break;
    if (redisGetReply(context, (void **)&value) != REDIS_OK) break;
    right += stored->type == REDIS_REPLY_STATUS && value->type == REDIS_REPLY_STRING &&
             atoi(value->str) == i;
    freeReplyObject(stored);
    freeReplyObject(value);
  }
  Check(right == kPipeline, "a pipeline of 1,000 SETs and GETs");
}

static void Many(redisContext *context) {
  freeReplyObject(Expect(context, redisCommand(context, "MSET a 1 b 2"), REDIS_REPLY_STATUS, "MSET"));
  redisReply *reply =
      Expect(context, redisCommand(context, "MGET a none b"), REDIS_REPLY_ARRAY, "MGET");
  Check(reply->elements == 3 && strcmp(reply->element[0]->str, "1") == 0 &&
            reply->element[1]->type == REDIS_REPLY_NIL && strcmp(reply->element[2]->str, "2") == 0,
        "its values");
  freeReplyObject(reply);
}

static void Scan(redisContext *context) {
  char cursor[32] = "0";
  size_t found = 0;
  do {
    redisReply *reply = redisCommand(context, "SCAN %s MATCH p:* COUNT 100", cursor);
    if (reply == NULL || reply->type != REDIS_REPLY_ARRAY || reply->elements != 2) break;
    snprintf(cursor, sizeof(cursor), "%s", reply->element[0]->str);
    found += reply->element[1]->elements;
    freeReplyObject(reply);
  } while (strcmp(cursor, "0") != 0);
  Check(found == kPipeline, "SCAN to the end");
}

static void Errors(redisContext *context) {
  redisReply *reply = Expect(context, redisCommand(context, "NOSUCH x"), REDIS_REPLY_ERROR, "an error");
  Check(strncmp(reply->str, "ERR unknown command 'NOSUCH'", 28) == 0, "its text");
  freeReplyObject(reply);
  freeReplyObject(Expect(context, redisCommand(context, "GET a"), REDIS_REPLY_STRING,
                         "the connection goes on after it"));
}

static void Expiry(redisContext *context) {
  freeReplyObject(
      Expect(context, redisCommand(context, "SET short x PX 20"), REDIS_REPLY_STATUS, "SET PX"));
  long long exists = 1;
  while (exists == 1) {
    redisReply *reply = redisCommand(context, "EXISTS short");
    if (reply == NULL || reply->type != REDIS_REPLY_INTEGER) break;
    exists = reply->integer;
    freeReplyObject(reply);
  }
  Check(exists == 0, "it expires");
}

static void About(redisContext *context) {
  redisReply *reply =
      Expect(context, redisCommand(context, "INFO server"), REDIS_REPLY_STRING, "INFO");
  Check(strstr(reply->str, "\r\nredis_version:") != NULL, "its version");
  freeReplyObject(reply);
  freeReplyObject(Expect(context, redisCommand(context, "CLIENT SETINFO LIB-NAME hiredis"),
                         REDIS_REPLY_STATUS, "CLIENT SETINFO"));
  freeReplyObject(
      Expect(context, redisCommand(context, "CLIENT SETNAME me"), REDIS_REPLY_STATUS, "CLIENT SETNAME"));
  reply = Expect(context, redisCommand(context, "CLIENT GETNAME"), REDIS_REPLY_STRING, "CLIENT GETNAME");
  Check(strcmp(reply->str, "me") == 0, "the name");
  freeReplyObject(reply);
}

static void Reconnect(redisContext *context, int port) {
  redisReply *id = Expect(context, redisCommand(context, "CLIENT ID"), REDIS_REPLY_INTEGER, "CLIENT ID");
  redisContext *admin = Connect(port);
  freeReplyObject(Expect(admin, redisCommand(admin, "CLIENT KILL ID %lld", id->integer),
                         REDIS_REPLY_INTEGER, "CLIENT KILL"));
  redisFree(admin);
  Check(redisCommand(context, "PING") == NULL && context->err != 0, "the killed connection says so");
  Check(redisReconnect(context) == REDIS_OK, "reconnect");
  redisReply *now = Expect(context, redisCommand(context, "CLIENT ID"), REDIS_REPLY_INTEGER, "CLIENT ID");
  Check(now->integer != id->integer, "it is another connection");
  freeReplyObject(now);
  freeReplyObject(id);
}

int main(int argc, char **argv) {
  if (argc != 2) return 2;
  const int port = atoi(argv[1]);
  redisContext *context = Connect(port);
  Binary(context);
  Pipeline(context);
  Many(context);
  Scan(context);
  Errors(context);
  Expiry(context);
  About(context);
  Reconnect(context, port);
  redisFree(context);
  return 0;
}
