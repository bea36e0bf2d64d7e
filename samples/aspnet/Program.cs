// An ASP.NET Core SignalR chat on any number of pods: a message sent to one of them reaches the clients of all, through Redis.
// The variables are those of chatcluster's hub contract: docs/bring-your-own-hub.md.

using Microsoft.AspNetCore.SignalR;
using StackExchange.Redis;

var builder = WebApplication.CreateBuilder(args);
builder.WebHost.UseUrls($"http://*:{Variable("HUB_PORT")}");
builder.Services.Configure<HostOptions>(host => host.ShutdownTimeout = TimeSpan.FromSeconds(20));

// ConnectionStrings__Redis, which the ChatCluster builds from REDIS_SERVER, REDIS_PORT and REDIS_PASSWORD. It is read once;
// the operator rolls the pods when the password changes.
var redis = ConfigurationOptions.Parse(builder.Configuration.GetConnectionString("Redis")!);
redis.ClientName = Variable("POD_NAME");
redis.AbortOnConnectFail = false; // Redis may start after us
redis.ChannelPrefix = RedisChannel.Literal(Variable("BACKPLANE_EVENT_KEY"));
builder.Services.AddSignalR().AddStackExchangeRedis(options => options.Configuration = redis);

var app = builder.Build();
app.MapGet("/readyz", () => Results.Ok());
app.MapHub<Chat>("/hub");
app.Run();

static string Variable(string name) =>
    Environment.GetEnvironmentVariable(name) ?? throw new InvalidOperationException($"{name} is not set");

class Chat : Hub
{
    static readonly string? Pod = Environment.GetEnvironmentVariable("POD_NAME");

    public override Task OnConnectedAsync() => Clients.Caller.SendAsync("welcome", new { pod = Pod });

    public Task Join(string room, string name)
    {
        Context.Items["name"] = name;
        return Groups.AddToGroupAsync(Context.ConnectionId, room);
    }

    public Task Leave(string room) => Groups.RemoveFromGroupAsync(Context.ConnectionId, room);

    public Task Send(string room, string text) =>
        Clients.Group(room).SendAsync("message", new { room, from = Context.Items["name"], text, pod = Pod });
}
