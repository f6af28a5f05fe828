// A front end with three services behind Vite: the page at 8080, the backend at 8000. Run both:
//   node examples/vite/server.js
//   npx vite --config examples/vite/services.config.js
import { fileURLToPath } from 'node:url'
import { defineConfig } from 'vite'

const { PORT = '8080', BACKEND = 'http://127.0.0.1:8000' } = process.env

export default defineConfig({
  root: fileURLToPath(new URL('page', import.meta.url)),
  oxc: { jsx: { runtime: 'automatic' } },
  server: {
    host: '127.0.0.1',
    port: Number(PORT),
    strictPort: true,
    proxy: {
      '/api': { target: BACKEND },
      '/ws': { target: BACKEND, ws: true },
    },
  },
})
