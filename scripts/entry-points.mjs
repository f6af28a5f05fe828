/** The modules of the package's entry points, by their names in dist/: src/relay/redis/redis.ts is dist/redis.js. */
export const entryPoints = {
  index: 'index',
  browser: 'browser/index',
  cluster: 'relay/cluster/cluster',
  nats: 'relay/nats/nats',
  protocol: 'protocol/index',
  redis: 'relay/redis/redis',
  testing: 'testing/testing',
  'ws/index': 'ws/index',
}
