# samples/socketio with the machine's own Node.js and the libraries that it loads, so that no registry is needed. Users build
# samples/socketio/Dockerfile.
FROM scratch
COPY root /
WORKDIR /app
ENV PATH=/usr/bin NODE_ENV=production
USER 1000:1000
CMD ["node", "server.mjs"]
