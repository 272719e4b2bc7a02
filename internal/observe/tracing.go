package observe

import (
	"context"
	"fmt"
	"log/slog"
	"net/url"
	"runtime/debug"
	"strings"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
)

// flushTime is how long the end of the program waits for the last spans to be sent.
const flushTime = 5 * time.Second

// Traces sends spans to a collector.
type Traces struct{ provider *sdktrace.TracerProvider }

// Traced reports whether the environment asks for traces, by the variables that OpenTelemetry's specification names
// (https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/).
func Traced(getenv func(string) string) bool {
	return (getenv("OTEL_EXPORTER_OTLP_ENDPOINT") != "" || getenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT") != "") &&
		!strings.EqualFold(getenv("OTEL_SDK_DISABLED"), "true") && getenv("OTEL_TRACES_EXPORTER") != "none"
}

// CheckTraces says what is wrong with those variables.
func CheckTraces(getenv func(string) string) (problems []string) {
	if !Traced(getenv) {
		return nil
	}
	if e := getenv("OTEL_TRACES_EXPORTER"); e != "" && e != "otlp" {
		problems = append(problems, fmt.Sprintf("OTEL_TRACES_EXPORTER: %q is neither otlp nor none", e))
	}
	for _, name := range []string{"OTEL_EXPORTER_OTLP_PROTOCOL", "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL"} {
		if p := getenv(name); p != "" && p != "http/protobuf" {
			problems = append(problems, fmt.Sprintf("%s: %q is not http/protobuf, which is what Roster speaks", name, p))
		}
	}
	for _, name := range []string{"OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"} {
		u, err := url.Parse(getenv(name))
		if text := getenv(name); text != "" && (err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "") {
			problems = append(problems, name+": it is not of the form http://host:4318")
		}
	}
	return problems
}

// NewTraces sends traces where the environment says; nil if it says nowhere. How many are sampled, how they are sent and what they say of
// the service is the environment's, too. What goes wrong later is for the log.
func NewTraces(ctx context.Context, getenv func(string) string, log *slog.Logger) (*Traces, error) {
	if !Traced(getenv) {
		return nil, nil
	}
	otel.SetErrorHandler(otel.ErrorHandlerFunc(func(err error) { log.Warn("traces", "cause", err) }))
	exporter, err := otlptracehttp.New(ctx)
	if err != nil {
		return nil, err
	}
	about, err := resource.New(ctx, resource.WithAttributes(attribute.String("service.name", "roster"), attribute.String("service.version", version())),
		resource.WithTelemetrySDK(), resource.WithFromEnv())
	if err != nil {
		return nil, err
	}
	return &Traces{sdktrace.NewTracerProvider(sdktrace.WithBatcher(exporter), sdktrace.WithResource(about))}, nil
}

// Provider makes tracers; nil of no Traces.
func (t *Traces) Provider() trace.TracerProvider {
	if t == nil {
		return nil
	}
	return t.provider
}

// Close sends what is left.
func (t *Traces) Close(ctx context.Context) error {
	if t == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), flushTime)
	defer cancel()
	return t.provider.Shutdown(ctx)
}

// version is the version of the program as it was built.
func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	return info.Main.Version
}
