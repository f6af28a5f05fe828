// The primary: it relays, and says what its workers need in their environment.
import { clusterRelay } from 'hubwire/cluster'
import { say, serve } from '../control.js'

clusterRelay()
const { HUBWIRE_CLUSTER } = process.env
say({ HUBWIRE_CLUSTER })
serve(() => undefined)
