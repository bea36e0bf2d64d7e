{{/* The name of every object but the CRD. It is fixed, so that a second release in the same cluster fails. */}}
{{- define "chatcluster.name" -}}
chatcluster-operator
{{- end }}

{{/* The labels by which the Deployment selects. The network policies of every Redis admit pods with this name label. */}}
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

{{/* The labels of the pod of `helm test`. It is not an operator, so neither the Service nor Redis's policies select it. */}}
{{- define "chatcluster.testLabels" -}}
app.kubernetes.io/name: {{ include "chatcluster.name" . }}-test
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}
