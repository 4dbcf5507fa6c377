// node-redis against the server whose port is the argument, once per RESP version.
'use strict';
const assert = require('node:assert/strict');
const test = require('node:test');
const { createClient, RESP_TYPES } = require('redis');

const binary = Buffer.from(Array.from({ length: 256 }, (_, i) => i));
const socket = { host: '127.0.0.1', port: Number(process.argv[2]) };

for (const RESP of [2, 3]) {
  test(`node-redis, RESP${RESP}`, async (t) => {
    const client = createClient({ RESP, socket, name: 'node', database: RESP });
    client.on('error', () => {}); // without a listener a lost connection ends the process
    await client.connect();
    t.after(() => client.destroy());

    await t.test('what it does at connect arrived', async () => {
      const line = await client.sendCommand(['CLIENT', 'INFO']);
      assert.match(line, / name=node /);
      assert.match(line, new RegExp(` db=${RESP} `));
      assert.match(line, new RegExp(` resp=${RESP} lib-name=node-redis lib-ver=5`));
      assert.equal((await client.clientInfo()).name, 'node');
      assert.equal(await client.clientSetName('other'), 'OK');
      assert.equal(await client.clientGetName(), 'other');
    });

    await t.test('binary values and keys', async () => {
      const buffers = client.withTypeMapping({ [RESP_TYPES.BLOB_STRING]: Buffer });
      assert.equal(await client.set(binary, binary), 'OK');
      assert.deepEqual(await buffers.get(binary), binary);
      assert.equal(await client.get('none'), null);
    });

    await t.test('1,000 requests of one turn, which it sends as a pipeline', async () => {
      const numbers = Array.from({ length: 1000 }, (_, i) => String(i));
      const stored = await Promise.all(numbers.map((i) => client.set(`p:${i}`, i)));
      assert.ok(stored.every((reply) => reply === 'OK'));
      const values = await Promise.all(numbers.map((i) => client.get(`p:${i}`)));
      assert.deepEqual(values, numbers);
    });

    await t.test('MSET, MGET', async () => {
      assert.equal(await client.mSet({ a: '1', b: '2' }), 'OK');
      assert.deepEqual(await client.mGet(['a', 'none', 'b']), ['1', null, '2']);
    });

    await t.test('a SCAN iterator', async () => {
      const found = new Set();
      for await (const keys of client.scanIterator({ MATCH: 'p:*', COUNT: 100 })) {
        for (const key of keys) found.add(key);
      }
      assert.equal(found.size, 1000);
    });

    await t.test('errors', async () => {
      await client.set('text', 'x');
      await assert.rejects(client.incr('text'), /ERR value is not an integer or out of range/);
      await assert.rejects(client.sendCommand(['NOSUCH', 'x']), /ERR unknown command 'NOSUCH'/);
      assert.equal(await client.get('text'), 'x');
    });

    await t.test('expiry', async () => {
      await client.set('short', 'x', { PX: 20 });
      await client.set('long', 'x', { EX: 100 });
      assert.ok((await client.ttl('long')) > 90);
      while ((await client.exists('short')) === 1) await new Promise(setImmediate);
      assert.equal(await client.get('short'), null);
      assert.equal(await client.persist('long'), 1);
      assert.equal(await client.ttl('long'), -1);
    });

    await t.test('INFO', async () => {
      assert.match(await client.info('server'), /^redis_version:\d+\.\d+\.\d+\r$/m);
    });

    await t.test('it reconnects after CLIENT KILL', async () => {
      const admin = await createClient({ socket }).connect();
      const id = await client.clientId();
      const ready = new Promise((resolve) => client.once('ready', resolve));
      assert.equal(await admin.clientKill({ filter: 'ID', id }), 1);
      admin.destroy();
      await ready;
      assert.notEqual(await client.clientId(), id);
      assert.equal(await client.get('a'), '1'); // HELLO and SELECT were repeated
    });
  });
}
