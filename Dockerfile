# The image of every Lockstep program. What goes in is what .dockerignore lets through of a checkout
# that has been built (npm run build). Any base with Node 24 on Debian 13 will do.
ARG BASE=node:24-trixie-slim
FROM ${BASE}

# A first process that passes signals on and waits for children, and the network's other end.
RUN command -v catatonit >/dev/null && command -v gvproxy >/dev/null || { \
      apt-get update && \
      apt-get install -y --no-install-recommends catatonit gvproxy && \
      rm -rf /var/lib/apt/lists/*; \
    }

COPY . /app/

# Guests that were built beforehand are found where the build would put them.
RUN printf '#!/bin/sh\nexec node /app/dist/cli/main.js "$@"\n' >/usr/local/bin/lockstep && \
    chmod 755 /usr/local/bin/lockstep && \
    mkdir -p /var/cache/lockstep && \
    { [ ! -d /app/guests ] || ln -s /app/guests /var/cache/lockstep/guest; } && \
    chown 65532:65532 /var/cache/lockstep

ENV NODE_ENV=production LOCKSTEP_CACHE=/var/cache/lockstep
USER 65532:65532
ENTRYPOINT ["catatonit", "--", "lockstep"]
