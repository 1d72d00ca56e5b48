# One image for the API, the worker and the migrations: `docker compose up`. It needs no way to write anywhere.

FROM node:24-bookworm-slim AS build
WORKDIR /app
COPY package.json package-lock.json ./
RUN ["npm", "ci", "--omit=optional", "--ignore-scripts", "--no-audit", "--no-fund"]
COPY tsconfig.json tsconfig.build.json ./
COPY tools/prepare.mjs ./tools/
COPY src ./src
RUN ["npm", "run", "build"]

# The packages again, now only those that run. The embedded Postgres of local mode is optional, and stays out.
FROM node:24-bookworm-slim AS packages
WORKDIR /app
COPY package.json package-lock.json ./
RUN ["npm", "ci", "--omit=dev", "--omit=optional", "--ignore-scripts", "--no-audit", "--no-fund"]

FROM node:24-bookworm-slim
# Inside a container the outer world comes by the network's address. A user without an entry in /etc/passwd has no home,
# and a library that asks for it would end the process.
ENV NODE_ENV=production HOST=0.0.0.0 PORT=3000 HOME=/app
WORKDIR /app
COPY --from=packages /app/node_modules ./node_modules
COPY --from=build /app/dist ./dist
COPY migrations ./migrations
COPY package.json ./
# By number: who starts it can see that it is not root.
USER 10001:10001
EXPOSE 3000
# For the API; a worker listens to nothing, and its container turns this off.
HEALTHCHECK --interval=10s --timeout=3s --retries=3 \
  CMD ["node", "-e", "fetch(`http://127.0.0.1:${process.env.PORT}/livez`).then(({ ok }) => process.exit(ok ? 0 : 1), () => process.exit(1))"]
ENTRYPOINT ["node", "dist/main.js"]
CMD ["serve"]
