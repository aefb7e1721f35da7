# Asks Debian's ruby-android-key-attestation about chains: one JSON object a line in, one a line out.
#
# It checks the challenge, the chain under the given roots at the given time, and reads the description. Which key
# stands where in the chain, revocation and boot state it leaves to its callers.
require "android_key_attestation"
require "base64"
require "json"
require "time"

roots = JSON.parse(File.read(ARGV.fetch(0))).map { |pem| OpenSSL::X509::Certificate.new(pem) }

def judge(asked, roots)
  chain = asked.fetch("chain").map { |der| OpenSSL::X509::Certificate.new(Base64.decode64(der)) }
  statement = AndroidKeyAttestation::Statement.new(*chain)
  statement.verify_challenge(Base64.decode64(asked.fetch("challenge")))
  statement.verify_certificate_chain(root_certificates: roots, time: Time.iso8601(asked.fetch("at")))
  statement.tee_enforced.origin
end

$stdin.each_line do |line|
  answer =
    begin
      judge(JSON.parse(line), roots)
      { accepted: true }
    rescue StandardError => error
      { accepted: false, why: "#{error.class.name.split("::").last}: #{error.message}" }
    end
  puts answer.to_json
  $stdout.flush
end
