# The image of every Lockstep program: runner, gateway, operator. From a checkout, with nothing built:
#
#   docker build -t lockstep .
#
# Any base with Node 24 and npm on Debian 13 will do (--build-arg BASE=…). Whoever has built everything
# already gives it as the context, in the folders app/ and cache/, with --build-arg PRODUCT=made.
ARG BASE=node:24-trixie-slim
ARG PRODUCT=checkout

# --- from a checkout ---
FROM ${BASE} AS checkout
WORKDIR /checkout
# The guest is made of Debian's packages, which their archive's key proves.
RUN apt-get update && \
    apt-get install -y --no-install-recommends ca-certificates debian-archive-keyring && \
    rm -rf /var/lib/apt/lists/*
COPY . ./
RUN npm run build
# The guest, and the boot that every VM of it begins from.
RUN LOCKSTEP_CACHE=/made/cache node dist/cli/main.js prepare
# What runs, without what builds. Maps are for debuggers.
RUN npm ci --ignore-scripts --omit=dev --omit=optional && \
    find node_modules -name '*.map' -type f -delete && \
    mkdir -p /made/app/src/cli && \
    cp -r dist guest node_modules package.json /made/app/ && \
    cp -r src/cli/page /made/app/src/cli/

# --- made before ---
FROM scratch AS made
COPY . /made/

FROM ${PRODUCT} AS product

# --- the image ---
FROM ${BASE}
# A first process that passes signals on and waits for children, and the network's other end.
RUN command -v catatonit >/dev/null && command -v gvproxy >/dev/null || { \
      apt-get update && \
      apt-get install -y --no-install-recommends catatonit gvproxy && \
      rm -rf /var/lib/apt/lists/*; \
    }
RUN printf '#!/bin/sh\nexec node /app/dist/cli/main.js "$@"\n' >/usr/local/bin/lockstep && \
    chmod 755 /usr/local/bin/lockstep
# The default guest and its boot are found here, also when the file system is read-only.
COPY --from=product /made/cache /var/cache/lockstep
COPY --from=product /made/app /app
ENV NODE_ENV=production LOCKSTEP_CACHE=/var/cache/lockstep
USER 65532:65532
ENTRYPOINT ["catatonit", "--", "lockstep"]
