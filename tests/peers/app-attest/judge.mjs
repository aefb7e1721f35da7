// Asks npm's node-app-attest about attestations and assertions: one JSON object a line in, one a line out.
//
// The package hashes the challenge itself. Where a corpus has only the hash, that is what it gets: the hash of
// `Prehashed` is the hash inside. Nothing else is touched.
import crypto from 'node:crypto';
import { syncBuiltinESMExports } from 'node:module';
import { createInterface } from 'node:readline';

class Prehashed {
  constructor(hash) {
    this.hash = hash;
  }
}

const createHash = crypto.createHash;
crypto.createHash = (...args) => {
  const hasher = createHash(...args);
  const { update, digest } = hasher;
  let given;
  hasher.update = (data, ...rest) => {
    if (data instanceof Prehashed) {
      given = data.hash;
      return hasher;
    }
    return update.call(hasher, data, ...rest);
  };
  hasher.digest = (encoding) => {
    if (!given) return digest.call(hasher, encoding);
    return encoding ? given.toString(encoding) : given;
  };
  return hasher;
};
syncBuiltinESMExports();

const { verifyAttestation, verifyAssertion } = await import('node-app-attest');

const bytes = (text) => Buffer.from(text, 'base64');

function split(appId) {
  const dot = appId.indexOf('.');
  return { teamIdentifier: appId.slice(0, dot), bundleIdentifier: appId.slice(dot + 1) };
}

function spki(point) {
  const header = Buffer.from('3059301306072a8648ce3d020106082a8648ce3d030107034200', 'hex');
  const key = { key: Buffer.concat([header, bytes(point)]), format: 'der', type: 'spki' };
  return crypto.createPublicKey(key);
}

function judge(asked) {
  const hash = new Prehashed(bytes(asked.client_data_hash));
  if (asked.kind === 'attestation') {
    verifyAttestation({
      attestation: bytes(asked.object),
      challenge: hash,
      keyId: asked.key_id,
      allowDevelopmentEnvironment: asked.environment !== 'production',
      ...split(asked.app_id),
    });
  } else {
    verifyAssertion({
      assertion: bytes(asked.object),
      payload: hash,
      publicKey: spki(asked.public_key_x963),
      signCount: asked.previous_counter,
      ...split(asked.app_id),
    });
  }
}

for await (const line of createInterface({ input: process.stdin })) {
  let answer = { accepted: true };
  try {
    judge(JSON.parse(line));
  } catch (error) {
    answer = { accepted: false, why: String(error.message ?? error) };
  }
  console.log(JSON.stringify(answer));
}
