// The chat page from vite, with its WebSocket passed on to the chat server, which runs beside it:
//   npm start
//   npx vite --config examples/vite/vite.config.js
import { fileURLToPath } from 'node:url'
import { defineConfig } from 'vite'

const { PORT = '8080', BACKEND = 'ws://127.0.0.1:8000' } = process.env

export default defineConfig({
  root: fileURLToPath(new URL('../chat/page', import.meta.url)),
  server: {
    host: '127.0.0.1',
    port: Number(PORT),
    strictPort: true,
    proxy: {
      '/ws': { target: BACKEND, ws: true },
    },
  },
})
