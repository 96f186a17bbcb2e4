{{/* What the names of all objects begin with; short enough for the longest of them. */}}
{{- define "lockstep.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride -}}
{{- else if contains "lockstep" .Release.Name -}}
{{- .Release.Name | trunc 40 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-lockstep" (.Release.Name | trunc 31 | trimSuffix "-") -}}
{{- end -}}
{{- end -}}

{{- define "lockstep.operator" -}}
{{- include "lockstep.fullname" . }}-operator
{{- end -}}

{{- define "lockstep.serviceAccountName" -}}
{{- .Values.serviceAccount.name | default (include "lockstep.operator" .) -}}
{{- end -}}

{{/* Of bindings. */}}
{{- define "lockstep.subject" -}}
- kind: ServiceAccount
  name: {{ include "lockstep.serviceAccountName" . | quote }}
  namespace: {{ .Release.Namespace | quote }}
{{- end -}}

{{/* The first two are what the operator's NetworkPolicies for VMs know the operator's pods by: they never change. */}}
{{- define "lockstep.operatorSelector" -}}
app.kubernetes.io/name: lockstep
app.kubernetes.io/component: operator
app.kubernetes.io/instance: {{ .Release.Name | quote }}
{{- end -}}

{{- define "lockstep.commonLabels" -}}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end -}}

{{/* Of what belongs to the operator. */}}
{{- define "lockstep.operatorLabels" -}}
{{ include "lockstep.operatorSelector" . }}
{{ include "lockstep.commonLabels" . }}
{{- end -}}

{{/* Of everything else. */}}
{{- define "lockstep.labels" -}}
app.kubernetes.io/name: lockstep
app.kubernetes.io/instance: {{ .Release.Name | quote }}
{{ include "lockstep.commonLabels" . }}
{{- end -}}

{{- define "lockstep.image" -}}
{{- $needed := "image.repository is empty: Lockstep's image is one that you build and push (docs/install.md); give its registry and name, such as --set image.repository=registry.example.com/team/lockstep" -}}
{{- $repository := required $needed .Values.image.repository -}}
{{- if .Values.image.digest -}}
{{- printf "%s@%s" $repository .Values.image.digest -}}
{{- else -}}
{{- $tag := .Values.image.tag -}}
{{- /* A tag of digits alone is a number for Helm, which prints long ones with an exponent. */ -}}
{{- if has (kindOf $tag) (list "int64" "float64") -}}
{{- $tag = int64 $tag | toString -}}
{{- end -}}
{{- printf "%s:%s" $repository ($tag | default .Chart.AppVersion) -}}
{{- end -}}
{{- end -}}
