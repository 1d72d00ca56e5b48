# One image for the API, the worker and the migrations; see docker-compose.yml. The container can be read-only.

FROM node:24-bookworm-slim AS build
WORKDIR /app
COPY package.json package-lock.json ./
RUN ["npm", "ci", "--omit=optional", "--ignore-scripts", "--no-audit", "--no-fund"]
COPY tsconfig.json tsconfig.build.json ./
COPY tools/prepare.mjs ./tools/
COPY clients/typescript/tsconfig.json ./clients/typescript/
COPY clients/typescript/src ./clients/typescript/src
COPY src ./src
RUN ["npm", "run", "build"]

# Production packages only, without the embedded Postgres of local mode (an optional dependency).
FROM node:24-bookworm-slim AS packages
WORKDIR /app
COPY package.json package-lock.json ./
RUN ["npm", "ci", "--omit=dev", "--omit=optional", "--ignore-scripts", "--no-audit", "--no-fund"]

FROM node:24-bookworm-slim
# Containers are reached through the network address, so the API listens on 0.0.0.0. HOME is set because the user has no
# entry in /etc/passwd, and a library that looks up the home folder would end the process.
ENV NODE_ENV=production HOST=0.0.0.0 PORT=3000 HOME=/app
WORKDIR /app
COPY --from=packages /app/node_modules ./node_modules
COPY --from=build /app/dist ./dist
COPY migrations ./migrations
COPY package.json ./
# A numeric user, so that `runAsNonRoot` of Kubernetes can check that it is not root.
USER 10001:10001
EXPOSE 3000
# For the API only: disable it for workers, which have no port.
HEALTHCHECK --interval=10s --timeout=3s --retries=3 \
  CMD ["node", "-e", "fetch(`http://127.0.0.1:${process.env.PORT}/livez`).then(({ ok }) => process.exit(ok ? 0 : 1), () => process.exit(1))"]
ENTRYPOINT ["node", "dist/main.js"]
CMD ["serve"]
