{{- define "jishi.name" -}}
{{ .Release.Name | trunc 40 | trimSuffix "-" }}
{{- end }}

{{- define "jishi.labels" -}}
app.kubernetes.io/name: jishi
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- end }}

{{/* Labels by which a part is selected: a list of root and name. */}}
{{- define "jishi.selector" -}}
app.kubernetes.io/name: jishi
app.kubernetes.io/instance: {{ (index . 0).Release.Name }}
app.kubernetes.io/component: {{ index . 1 }}
{{- end }}

{{- define "jishi.image" -}}
{{- $image := index (index . 0).Values.images (index . 1) -}}
{{ $image.repository }}:{{ $image.tag }}
{{- end }}

{{- define "jishi.python" -}}
{{- if eq . "main" -}}/jishi/.venv/bin/python{{- else -}}/jishi/.envs/{{ . }}/bin/python{{- end -}}
{{- end }}

{{- define "jishi.podSecurity" -}}
runAsNonRoot: true
runAsUser: 10001
runAsGroup: 10001
fsGroup: 10001
seccompProfile: {type: RuntimeDefault}
{{- end }}

{{- define "jishi.containerSecurity" -}}
allowPrivilegeEscalation: false
capabilities: {drop: [ALL]}
{{- end }}

{{/* By which a Prometheus that goes by annotations finds a pod: the port of its metrics. */}}
{{- define "jishi.scraped" -}}
prometheus.io/scrape: "true"
prometheus.io/port: {{ . | quote }}
prometheus.io/path: /metrics
{{- end }}

{{/* Settings of a container: a list of root and the part's name. */}}
{{- define "jishi.environment" -}}
- {name: JISHI_PART, value: {{ index . 1 | quote }}}
- {name: JISHI_SECRETS, value: /jishi/secrets}
{{- end }}
