#!/bin/sh
# The central manager and submit node of an HTCondor pool, for the tests: pool.sh PORT
# Leaves a token for pilots in /shared.
set -e
mkdir -p /pool/log /pool/spool /pool/execute /pool/keys /pool/tokens
chown condor /pool/log /pool/spool /pool/execute
chmod 700 /pool/keys
head -c 64 /dev/urandom > /pool/keys/POOL
chmod 600 /pool/keys/POOL
cat > /etc/condor/config.d/99-pilot.conf <<CONF
CONDOR_HOST = 127.0.0.1
COLLECTOR_HOST = 127.0.0.1:$1
SHARED_PORT_PORT = $1
USE_SHARED_PORT = True
DAEMON_LIST = MASTER COLLECTOR NEGOTIATOR SCHEDD
LOG = /pool/log
SPOOL = /pool/spool
EXECUTE = /pool/execute
LOCK = /pool/log
RUN = /pool/log
SEC_PASSWORD_DIRECTORY = /pool/keys
SEC_TOKEN_DIRECTORY = /pool/tokens
SEC_DEFAULT_AUTHENTICATION = REQUIRED
SEC_DEFAULT_AUTHENTICATION_METHODS = FS, IDTOKENS
TRUST_DOMAIN = pool
UID_DOMAIN = pool
ALLOW_READ = *
ALLOW_WRITE = *
ALLOW_NEGOTIATOR = *
ALLOW_ADMINISTRATOR = *
ALLOW_DAEMON = *
ALLOW_ADVERTISE_STARTD = pilot@pool
ALLOW_ADVERTISE_MASTER = pilot@pool
NEGOTIATOR_INTERVAL = 2
NEGOTIATOR_CYCLE_DELAY = 1
NEGOTIATOR_MIN_INTERVAL = 1
SCHEDD_INTERVAL = 2
SCHEDD_MIN_INTERVAL = 1
CONF
condor_token_create -identity pilot@pool -key POOL \
    -authz ADVERTISE_STARTD -authz ADVERTISE_MASTER -authz READ > /shared/token
chown 65534:65534 /shared/token
chmod 400 /shared/token
exec condor_master -f
