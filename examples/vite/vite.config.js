// Serves the chat page with vite, and forwards its WebSocket to the chat server. Run both:
//   npm start
//   npx vite --config examples/vite/vite.config.js
import { fileURLToPath } from 'node:url'
import { defineConfig } from 'vite'

const { PORT = '8080', BACKEND = 'ws://127.0.0.1:8000' } = process.env

export default defineConfig({
  root: fileURLToPath(new URL('../chat/page', import.meta.url)),
  // The chat server serves the client at this path; vite takes it from the package.
  resolve: { alias: { '/hubwire/index.js': 'hubwire/browser' } },
  server: {
    host: '127.0.0.1',
    port: Number(PORT),
    strictPort: true,
    proxy: {
      '/ws': { target: BACKEND, ws: true },
    },
  },
})
