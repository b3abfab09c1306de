{{/* Ports and paths are no values: pods have addresses of their own, and deploy/kubernetes/secrets.py knows them too. */}}
{{- define "trapline.ports.registry" -}}5555{{- end }}
{{- define "trapline.ports.xen" -}}5556{{- end }}
{{- define "trapline.ports.metrics" -}}9470{{- end }}

{{- define "trapline.release" -}}
{{- if gt (len .Release.Name) 20 }}{{ fail (printf "release %s: at most 20 characters, for the names of pods are made of it" .Release.Name) }}{{ end -}}
{{ .Release.Name }}
{{- end }}

{{- define "trapline.keys" -}}
{{ .Values.keys.prefix | default (printf "%s-keys" .Release.Name) }}
{{- end }}

{{- define "trapline.selector" -}}
app.kubernetes.io/name: trapline
app.kubernetes.io/instance: {{ include "trapline.release" . }}
{{- end }}

{{- define "trapline.labels" -}}
{{ include "trapline.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version }}
{{- end }}

{{/* What all pods have in common; takes a dict of top, secret. */}}
{{- define "trapline.pod" -}}
automountServiceAccountToken: false
enableServiceLinks: false
{{- with .top.Values.image.pullSecrets }}
imagePullSecrets:
{{- range . }}
  - name: {{ . }}
{{- end }}
{{- end }}
{{- with .top.Values.placement.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .top.Values.placement.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
securityContext:
  runAsNonRoot: true
  runAsUser: 10001
  runAsGroup: 10001
  fsGroup: 10001
  seccompProfile:
    type: RuntimeDefault
{{- end }}

{{- define "trapline.image" -}}
image: {{ printf "%s:%s" .Values.image.repository (.Values.image.tag | default .Chart.AppVersion) | quote }}
imagePullPolicy: {{ .Values.image.pullPolicy }}
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  capabilities:
    drop: [ALL]
{{- end }}

{{/* Files of mode 0440, of root and the group that the pod has to itself. */}}
{{- define "trapline.volumes" -}}
- name: keys
  secret:
    secretName: {{ .secret }}
    defaultMode: 0440
- name: tmp
  emptyDir:
    sizeLimit: 64Mi
{{- end }}
