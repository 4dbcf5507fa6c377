// ioredis against the server whose port is the argument. ioredis speaks RESP2 only; on connecting it
// asks for INFO (its ready check) and tells its name with CLIENT SETINFO.
'use strict';
const assert = require('node:assert/strict');
const test = require('node:test');
const Redis = require('ioredis');

const binary = Buffer.from(Array.from({ length: 256 }, (_, i) => i));
const options = { host: '127.0.0.1', port: Number(process.argv[2]) };

function once(emitter, event) {
  return new Promise((resolve) => emitter.once(event, resolve));
}

test('ioredis', async (t) => {
  const client = new Redis({ ...options, connectionName: 'io', db: 2 });
  await once(client, 'ready');
  t.after(() => client.disconnect());

  await t.test('what it does at connect arrived', async () => {
    const line = await client.client('INFO');
    assert.match(line, / name=io /);
    assert.match(line, / db=2 /);
    assert.match(line, / resp=2 lib-name=ioredis/);
    assert.equal(await client.client('SETNAME', 'other'), 'OK');
    assert.equal(await client.client('GETNAME'), 'other');
    assert.equal(await client.client('SETINFO', 'LIB-VER', '1.2.3'), 'OK');
  });

  await t.test('binary values and keys', async () => {
    assert.equal(await client.set(binary, binary), 'OK');
    assert.deepEqual(await client.getBuffer(binary), binary);
    assert.equal(await client.strlen(binary), 256);
    assert.equal(await client.get('none'), null);
  });

  await t.test('a pipeline of 1,000', async () => {
    const pipeline = client.pipeline();
    for (let i = 0; i < 1000; i++) pipeline.set(`p:${i}`, i);
    const stored = await pipeline.exec();
    assert.equal(stored.filter(([error, reply]) => error === null && reply === 'OK').length, 1000);
    const values = await Promise.all(Array.from({ length: 1000 }, (_, i) => client.get(`p:${i}`)));
    assert.deepEqual(values, Array.from({ length: 1000 }, (_, i) => String(i)));
  });

  await t.test('MSET, MGET', async () => {
    assert.equal(await client.mset({ a: '1', b: '2' }), 'OK');
    assert.deepEqual(await client.mget('a', 'none', 'b'), ['1', null, '2']);
  });

  await t.test('a SCAN stream', async () => {
    const found = new Set();
    for await (const keys of client.scanStream({ match: 'p:*', count: 100 })) {
      for (const key of keys) found.add(key);
    }
    assert.equal(found.size, 1000);
  });

  await t.test('errors', async () => {
    await client.set('text', 'x');
    await assert.rejects(client.incr('text'), /ERR value is not an integer or out of range/);
    await assert.rejects(client.call('NOSUCH', 'x'), /ERR unknown command 'NOSUCH'/);
    const [[failed], [, reply]] = await client.pipeline().incr('text').get('text').exec();
    assert.match(failed.message, /^ERR value is not/);
    assert.equal(reply, 'x');
  });

  await t.test('expiry', async () => {
    await client.set('short', 'x', 'PX', 20);
    assert.equal(await client.set('long', 'x', 'EX', 100), 'OK');
    assert.ok((await client.ttl('long')) > 90);
    while ((await client.exists('short')) === 1) await new Promise(setImmediate);
    assert.equal(await client.get('short'), null);
    assert.equal(await client.persist('long'), 1);
    assert.equal(await client.ttl('long'), -1);
  });

  await t.test('INFO', async () => {
    assert.match(await client.info('server'), /^redis_version:\d+\.\d+\.\d+\r$/m);
    assert.match(await client.info(), /^db2:keys=\d+,expires=0,/m);
  });

  await t.test('it reconnects after CLIENT KILL', async () => {
    const admin = new Redis(options);
    const id = await client.client('ID');
    const ready = once(client, 'ready');
    assert.equal(await admin.client('KILL', 'ID', id), 1);
    admin.disconnect();
    await ready;
    assert.notEqual(await client.client('ID'), id);
    assert.equal(await client.get('a'), '1'); // SELECT was repeated
  });
});
