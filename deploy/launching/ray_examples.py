"""What a user needs to have a Ray cluster where machines are known already: a list, Slurm, Kubernetes.

Examples to change, not a product: each says what of it was tried. It knows texts only.
"""

from typing import Final

VERSION: Final = "2.60.0"  # as of pyproject.toml's extra "ray"
HEALTH: Final = (
    ("RAY_health_check_initial_delay_ms", 500),
    ("RAY_health_check_period_ms", 500),
    ("RAY_health_check_timeout_ms", 1000),
    ("RAY_health_check_failure_threshold", 3),
)
_EXPORTS: Final = "\n".join(f"export {name}={value}" for name, value in HEALTH)
_ENV: Final = "\n".join(f'                - {{name: {name}, value: "{value}"}}' for name, value in HEALTH)

STATIC: Final = f"""#!/bin/bash
# A Ray cluster on a list of machines, by ssh; then a platform on it. Run it on the machine with the head.
# Tried: its syntax, and each 'ray start' of it on four machines. Not tried: ssh, and your network.
# Needs on each machine: the same Python, pip install 'trapline[ray]' in the same folder, and ssh with a key.
# Whoever reaches these ports may run anything as you: keep them inside your lab's network.
set -euo pipefail

HEAD=10.0.0.1                       # this machine's address, as the others know it
VENV=$HOME/trapline                 # of every machine
MACHINES=(                          # address and what it is good for
  '10.0.0.2 {{"el3board": 1}}'
  '10.0.0.3 {{"lab": 4}}'
  '10.0.0.4 {{"lab": 4}}'
)

# how soon a machine counts as lost; Ray's own values are ten times slower
{_EXPORTS}
"$VENV/bin/ray" start --head --node-ip-address="$HEAD" --port=6379 --num-cpus=2 \\
  --include-dashboard=false --disable-usage-stats

for machine in "${{MACHINES[@]}}"; do
  read -r address resources <<<"$machine"
  ssh "$address" "$VENV/bin/ray" start --address="$HEAD:6379" --node-ip-address="$address" \\
    --num-cpus=2 --disable-usage-stats "--resources='$resources'"
done

"$VENV/bin/trapline" up --engine ray --address "$HEAD:6379" --place xen=el3board,guests=lab

# The end: 'ray stop' on each machine. It ends every Ray there, also somebody else's of your user.
"""

SLURM: Final = f"""#!/bin/bash
#SBATCH --job-name=trapline
#SBATCH --nodes=4
#SBATCH --ntasks-per-node=1
#SBATCH --cpus-per-task=2
#SBATCH --exclusive
#SBATCH --time=00:30:00
# A Ray cluster inside an allocation; then an experiment on it. sbatch trapline.sbatch
# Tried: its syntax. Not tried: Slurm itself.
# --exclusive keeps others' jobs from these machines, and from Ray's ports.
# A machine that Slurm loses ends the job unless --no-kill is given; Slurm does not replace it.
set -euo pipefail

VENV=$HOME/trapline                 # on a file system that all machines have: pip install 'trapline[ray]'
SCENARIO=${{1:-noisy-neighbour}}
PORT=6379

mapfile -t MACHINES < <(scontrol show hostnames "$SLURM_JOB_NODELIST")
HEAD=$(srun --nodes=1 --ntasks=1 -w "${{MACHINES[0]}}" hostname -I | awk '{{print $1}}')

{_EXPORTS}
srun --overlap --nodes=1 --ntasks=1 -w "${{MACHINES[0]}}" "$VENV/bin/ray" start --head --block \\
  --node-ip-address="$HEAD" --port=$PORT --num-cpus=2 --resources='{{"el3board": 1}}' \\
  --include-dashboard=false --disable-usage-stats &
until (exec 3<>"/dev/tcp/$HEAD/$PORT") 2>/dev/null; do sleep 1; done

for machine in "${{MACHINES[@]:1}}"; do
  srun --overlap --nodes=1 --ntasks=1 -w "$machine" "$VENV/bin/ray" start --block \\
    --address="$HEAD:$PORT" --num-cpus=2 --resources='{{"lab": 4}}' --disable-usage-stats &
done

# The batch script runs on the first machine, which is the head's. Waits until all resources are there.
"$VENV/bin/python" - "$HEAD:$PORT" "${{#MACHINES[@]}}" <<'END'
import sys, time, ray
ray.init(address=sys.argv[1], log_to_driver=False)
while sum(node["Alive"] for node in ray.nodes()) < int(sys.argv[2]):
    time.sleep(1)
END
"$VENV/bin/trapline" run "$SCENARIO" --engine ray --address "$HEAD:$PORT" \\
  --place xen=el3board,guests=lab --out "$SLURM_SUBMIT_DIR/run-$SLURM_JOB_ID"
"""

KUBERAY: Final = f"""# A Ray cluster of KubeRay (operator 1.1 or later). kubectl apply -f ray.yaml
# Tried: that it parses, and its pods against Kubernetes' schema. Not tried: KubeRay, and any live cluster.
# The image is yours: FROM rayproject/ray:{VERSION}-py311, RUN pip install 'trapline[ray]'.
# Then: kubectl exec -it HEAD-POD -- sh -c \\
#   'trapline up --engine ray --address "$(hostname -i):6379" --place xen=el3board,guests=lab'
# Whoever reaches port 6379 or 10001 may run anything in these pods: keep them in by a NetworkPolicy.
# KubeRay starts a lost pod again; which domain is in it then is the supervisor's decision, as ever.
apiVersion: ray.io/v1
kind: RayCluster
metadata:
  name: trapline
spec:
  rayVersion: "{VERSION}"
  headGroupSpec:
    rayStartParams:
      dashboard-host: 127.0.0.1
      num-cpus: "1"
    template:
      spec:
        automountServiceAccountToken: false
        containers:
          - name: ray-head
            image: REGISTRY/trapline-ray:{VERSION}
            env:
{_ENV.replace("                - ", "              - ")}
            resources:
              requests: {{cpu: "1", memory: 4Gi}}
              limits: {{cpu: "2", memory: 4Gi}}
  workerGroupSpecs:
    - groupName: boards
      replicas: 1
      minReplicas: 1
      maxReplicas: 1
      rayStartParams:
        num-cpus: "1"
        resources: '"{{\\"el3board\\": 1}}"'
      template:
        spec: &worker
          automountServiceAccountToken: false
          containers:
            - name: ray-worker
              image: REGISTRY/trapline-ray:{VERSION}
              resources:
                requests: {{cpu: "1", memory: 2Gi}}
                limits: {{cpu: "2", memory: 2Gi}}
    - groupName: labs
      replicas: 2
      minReplicas: 2
      maxReplicas: 2
      rayStartParams:
        num-cpus: "1"
        resources: '"{{\\"lab\\": 4}}"'
      template:
        spec: *worker
"""

EXAMPLES: Final = {"static": STATIC, "slurm": SLURM, "kuberay": KUBERAY}
