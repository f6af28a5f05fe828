// Three services with one function: `open` connects to each with a fresh token, and reconnects automatically. React reads
// the state of a connection with useSyncExternalStore, because `status` stays the same object until it changes.
import { useEffect, useState, useSyncExternalStore } from 'react'
import { createRoot } from 'react-dom/client'
import { ReconnectingWebSocket, webSocketUrl } from 'hubwire/browser'

// The environment variable, otherwise the host of the page (which Vite forwards to the backend), otherwise this URL.
const base = webSocketUrl(import.meta.env.VITE_WS_URL, 'ws://127.0.0.1:8000')

async function freshToken(signal) {
  const response = await fetch('/api/token', { method: 'POST', signal })
  if (!response.ok) throw new Error(`No token: ${response.status}`)
  return await response.text()
}

function open(path) {
  return new ReconnectingWebSocket(
    async ({ signal }) => `${base}${path}?token=${encodeURIComponent(await freshToken(signal))}`,
    { ping: {} },
  )
}

const services = { Chat: open('/ws/chat/lobby/'), Notices: open('/ws/notices/'), Echo: open('/ws/echo') }

function useStatus(socket) {
  return useSyncExternalStore(
    (onChange) => {
      socket.addEventListener('state', onChange)
      return () => socket.removeEventListener('state', onChange)
    },
    () => socket.status,
  )
}

const words = {
  connecting: () => 'Connecting …',
  open: () => 'Connected',
  waiting: ({ reason, delay }) => `${reason}: again in ${Math.ceil(delay / 1000)} s`,
  closed: ({ code, reason }) => `Closed: ${reason || code}`,
}

function Service({ name, socket }) {
  const status = useStatus(socket)
  const [lines, setLines] = useState([])
  const [text, setText] = useState('')
  useEffect(() => {
    const onMessage = ({ data }) => setLines((before) => [...before.slice(-49), data])
    socket.addEventListener('message', onMessage)
    return () => socket.removeEventListener('message', onMessage)
  }, [socket])

  function submit(event) {
    event.preventDefault()
    if (text !== '' && socket.send(text) !== 'dropped') setText('') // a message that was not sent stays in the field
  }

  return (
    <section id={name}>
      <h2>
        {name}
        <span role="status" data-state={status.state}>
          {words[status.state](status)}
        </span>
      </h2>
      <ul>
        {lines.map((line, index) => (
          <li key={index}>{line}</li>
        ))}
      </ul>
      <form onSubmit={submit}>
        <input
          aria-label={`Message to ${name}`}
          value={text}
          onChange={(event) => setText(event.target.value)}
        />
        <button disabled={status.state !== 'open'}>Send</button>
        {(status.state === 'waiting' || status.state === 'closed') && (
          <button type="button" onClick={() => socket.reconnect()}>
            Try now
          </button>
        )}
      </form>
    </section>
  )
}

createRoot(document.getElementById('root')).render(
  <main>
    <h1>Three services</h1>
    {Object.entries(services).map(([name, socket]) => (
      <Service key={name} name={name} socket={socket} />
    ))}
  </main>,
)
