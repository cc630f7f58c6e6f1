# A private Slurm of one node, for tests: its configuration, state and logs lie in one folder. To be sourced.
#
#   cluster_start FOLDER     starts munged, slurmctld and slurmd; exports SLURM_CONF
#   cluster_stop             ends them by their process ids
#   cluster_node             what the node pretends to have
#   cluster_more             further lines of slurm.conf

cluster_pids=()
cluster_node='CPUs=4 SocketsPerBoard=1 CoresPerSocket=4 ThreadsPerCore=1 RealMemory=1000'
cluster_more=

cluster_configure() {
  local folder=$1 me host
  me=$(id -un)
  host=$(hostname -s)
  mkdir -p "$folder/state" "$folder/spool"
  cat > "$folder/slurm.conf" <<CONF
ClusterName=tiny
SlurmctldHost=$host(127.0.0.1)
SlurmctldPort=16817
SlurmdPort=16818
SlurmUser=$me
SlurmdUser=$me
AuthType=auth/munge
# cred_expire: a requeued job waits for the old job's credentials to expire, by default two minutes.
AuthInfo=socket=$folder/munge.socket,cred_expire=10
StateSaveLocation=$folder/state
SlurmdSpoolDir=$folder/spool
SlurmctldPidFile=$folder/slurmctld.pid
SlurmdPidFile=$folder/slurmd.pid
SlurmctldLogFile=$folder/slurmctld.log
SlurmdLogFile=$folder/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
MpiDefault=pmix
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
# By default a job that may start again is looked at once a minute.
SchedulerParameters=batch_sched_delay=0,sched_interval=2,bf_interval=5
SlurmdParameters=config_overrides
ReturnToService=2
KillWait=10
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
NodeName=$host NodeAddr=127.0.0.1 $cluster_node
PartitionName=low Nodes=$host Default=YES PriorityTier=1
PartitionName=patient Nodes=$host PriorityTier=1 GraceTime=40
PartitionName=high Nodes=$host PriorityTier=10 PreemptMode=OFF
$cluster_more
CONF
}

cluster_start() {
  local folder=$1 tries
  cluster_configure "$folder"
  export SLURM_CONF=$folder/slurm.conf
  # Not on the PATH of ordinary users.
  local PATH=$PATH:/usr/sbin
  (umask 077 && head -c 1024 /dev/urandom > "$folder/munge.key")
  # --force: munged frowns on folders that others may read.
  munged --foreground --force --socket="$folder/munge.socket" --key-file="$folder/munge.key" \
    --pid-file="$folder/munge.pid" --seed-file="$folder/munge.seed" > "$folder/munge.log" 2>&1 &
  cluster_pids+=($!)
  sleep 1
  # -D stays in the foreground; setsid, so that a Ctrl-C of the test does not reach them first.
  setsid slurmctld -D -f "$SLURM_CONF" > "$folder/slurmctld.out" 2>&1 &
  cluster_pids+=($!)
  sleep 1
  setsid slurmd -D -f "$SLURM_CONF" > "$folder/slurmd.out" 2>&1 &
  cluster_pids+=($!)
  for tries in $(seq 30); do
    if [ "$(sinfo --noheader --partition=low --format=%t 2>/dev/null)" = idle ]; then return 0; fi
    sleep 1
  done
  echo "Slurm did not start within $tries s; the ends of its logs:" >&2
  tail -n 20 "$folder"/slurmctld.out "$folder"/slurmd.out "$folder"/munge.log >&2
  return 1
}

cluster_stop() {
  local pid tries
  [ ${#cluster_pids[@]} -gt 0 ] || return 0 # scancel would reach the user's jobs elsewhere
  scancel --state=RUNNING --state=PENDING --user="$(id -un)" 2>/dev/null || true
  for tries in $(seq 15); do
    [ -n "$(squeue --noheader 2>/dev/null)" ] || break
    sleep 1
  done
  # slurmd first, munged last.
  for ((i = ${#cluster_pids[@]} - 1; i >= 0; --i)); do
    pid=${cluster_pids[i]}
    kill "$pid" 2>/dev/null || continue
    for tries in $(seq 50); do
      kill -0 "$pid" 2>/dev/null || continue 2
      sleep 0.1
    done
    kill -KILL "$pid" 2>/dev/null || true
  done
  cluster_pids=()
}
