{{/* Every object but the CRD has this name: there is one operator in a cluster, and a second release fails by it. */}}
{{- define "chatcluster.name" -}}
chatcluster-operator
{{- end }}

{{/* What the Deployment selects by. The network policies of every Redis admit pods with this name label. */}}
{{- define "chatcluster.selectorLabels" -}}
app.kubernetes.io/name: {{ include "chatcluster.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "chatcluster.labels" -}}
{{ include "chatcluster.selectorLabels" . }}
app.kubernetes.io/component: operator
app.kubernetes.io/part-of: chatcluster
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end }}

{{- define "chatcluster.serviceAccountName" -}}
{{- .Values.serviceAccount.name | default (include "chatcluster.name" .) }}
{{- end }}

{{- define "chatcluster.image" -}}
{{- with .Values.image }}
{{- if .digest }}
{{- printf "%s@%s" .repository .digest }}
{{- else }}
{{- printf "%s:%s" .repository (.tag | default $.Chart.AppVersion) }}
{{- end }}
{{- end }}
{{- end }}

{{- define "chatcluster.hubImage" -}}
{{- .Values.defaults.hubImage | default (printf "localhost/chatcluster-hub:%s" .Chart.AppVersion) }}
{{- end }}

{{- define "chatcluster.subjects" -}}
- kind: ServiceAccount
  name: {{ include "chatcluster.serviceAccountName" . }}
  namespace: {{ .Release.Namespace }}
{{- end }}

{{/* The pod of `helm test`, which is no operator: neither its Service nor Redis's policies may take it for one. */}}
{{- define "chatcluster.testLabels" -}}
app.kubernetes.io/name: {{ include "chatcluster.name" . }}-test
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}
