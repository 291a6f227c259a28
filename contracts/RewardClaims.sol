// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";
import {MerkleProof} from "@openzeppelin/contracts/utils/cryptography/MerkleProof.sol";
import {SignatureChecker} from "@openzeppelin/contracts/utils/cryptography/SignatureChecker.sol";

/// @title Revenue in, claims out
/// @notice Revenue is what `fund` received. The settler proposes one Merkle root per period over
/// `(account, cumulativeAmount)`; it becomes claimable after the dispute window, in which M of N governors
/// can cancel it. A claim pays the difference between the leaf and what the account was paid before.
/// @dev Its signatures have their own EIP-712 domain with this contract as `verifyingContract`, as the
/// standard defines the field; nothing signed for the service can be used here, nor the other way round.
/// The token must be a plain ERC-20: neither rebasing nor calling back into the sender.
contract RewardClaims is EIP712 {
    using SafeERC20 for IERC20;

    struct Root {
        bytes32 root;
        uint256 period;
        /// Sum of all cumulative amounts of the tree, in base units.
        uint256 total;
        /// SHA-256 of the text of the log head that includes the period's payout leaf.
        bytes32 logHead;
        /// Seconds; until then governors can cancel, from then on it pays.
        uint256 claimableAt;
    }

    bytes32 private constant CANCEL_ROOT_TYPEHASH =
        keccak256("CancelRoot(uint256 sequence,uint256 period,bytes32 root)");
    bytes32 private constant ROTATE_SETTLER_TYPEHASH =
        keccak256("RotateSettler(address newSettler,uint256 nonce)");

    IERC20 public immutable token;
    /// @notice Seconds between a proposed root and the first claim from it.
    uint256 public immutable disputeWindowSeconds;
    /// @notice M: how many governors cancel a root or change the settler.
    uint256 public immutable threshold;
    address private immutable _deployer;

    mapping(address governor => bool) public isGovernor;
    address public settler;
    /// @notice Signed by governors to change the settler once.
    uint256 public settlerNonce;

    /// @notice All base units that were ever received.
    uint256 public totalFunded;
    mapping(uint256 period => uint256 amount) public fundedOf;
    /// @notice All base units that were ever paid.
    uint256 public totalClaimed;
    /// @notice What an account (the leaf's key, never its payee) was paid so far.
    mapping(address account => uint256 amount) public claimedOf;
    mapping(address account => address payee) private _payees;

    /// @dev The newest root whose window has passed when the next one was proposed.
    Root private _settled;
    /// @dev The newest root; in dispute until its `claimableAt`.
    Root private _proposed;
    /// @notice Counts proposed roots, so that a signature to cancel one never cancels a later equal one.
    uint256 public sequence;
    mapping(uint256 sequence => mapping(address governor => bool)) public hasCanceled;
    mapping(uint256 sequence => uint256 count) public cancelCount;

    event Funded(uint256 indexed period, address indexed from, uint256 amount);
    event RootProposed(
        uint256 indexed sequence,
        uint256 indexed period,
        bytes32 root,
        uint256 total,
        bytes32 logHead,
        uint256 claimableAt
    );
    event CancelSupported(uint256 indexed sequence, address indexed governor);
    event RootCanceled(uint256 indexed sequence, uint256 indexed period, bytes32 root);
    event Claimed(address indexed account, address indexed payee, uint256 amount, uint256 cumulativeAmount);
    event PayeeRotated(address indexed account, address indexed payee);
    event SettlerChanged(address indexed settler);

    error BadGovernors();
    error NotSettler(address caller);
    error NotGovernor(address caller);
    error NotPayee(address caller);
    error NotDeployer(address caller);
    error ZeroAddress();
    error ZeroRoot();
    error SettlerAlreadySet();
    error RootPending(uint256 claimableAt);
    error NothingPending();
    error WrongSequence(uint256 pending);
    error PeriodNotLater(uint256 settled);
    error TotalBelowSettled(uint256 settled);
    error TotalAboveFunded(uint256 funded);
    error BadProof();
    error AboveTotal(uint256 total);
    error BadSignature(address governor);
    error SignersNotAscending();
    error BelowThreshold(uint256 signers);

    /// @param initialSettler may be zero; the deployer then names it once by `initializeSettler`, because a
    /// stage's payout key exists only after its first deploy.
    constructor(
        IERC20 token_,
        address initialSettler,
        address[] memory governors,
        uint256 threshold_,
        uint256 disputeWindowSeconds_
    ) EIP712("OpenLedger RewardClaims", "1") {
        if (address(token_) == address(0)) revert ZeroAddress();
        if (threshold_ == 0 || threshold_ > governors.length) revert BadGovernors();
        for (uint256 i = 0; i < governors.length; i++) {
            if (governors[i] == address(0) || isGovernor[governors[i]]) revert BadGovernors();
            isGovernor[governors[i]] = true;
        }
        token = token_;
        threshold = threshold_;
        disputeWindowSeconds = disputeWindowSeconds_;
        settler = initialSettler;
        _deployer = msg.sender;
        emit SettlerChanged(initialSettler);
    }

    // ------------------------------------------------------------------ revenue

    /// @notice Brings revenue of a period in. What counts is what arrives.
    function fund(uint256 period, uint256 amount) external {
        uint256 before = token.balanceOf(address(this));
        token.safeTransferFrom(msg.sender, address(this), amount);
        uint256 received = token.balanceOf(address(this)) - before;
        totalFunded += received;
        fundedOf[period] += received;
        emit Funded(period, msg.sender, received);
    }

    // ------------------------------------------------------------------ roots

    /// @notice Proposes the payouts up to and including `period`.
    /// @param total the sum of all cumulative amounts in the tree; never above what was funded
    function proposeRoot(uint256 period, bytes32 root, uint256 total, bytes32 logHead) external {
        if (msg.sender != settler) revert NotSettler(msg.sender);
        if (root == bytes32(0)) revert ZeroRoot();
        if (_proposed.root != bytes32(0)) {
            if (block.timestamp < _proposed.claimableAt) revert RootPending(_proposed.claimableAt);
            _settled = _proposed;
        }
        // A period settled twice would pay twice if its amounts were not cumulative; refuse it all the same.
        if (_settled.root != bytes32(0) && period <= _settled.period) revert PeriodNotLater(_settled.period);
        if (total < _settled.total) revert TotalBelowSettled(_settled.total);
        if (total > totalFunded) revert TotalAboveFunded(totalFunded);

        uint256 claimableAt = block.timestamp + disputeWindowSeconds;
        _proposed = Root(root, period, total, logHead, claimableAt);
        sequence += 1;
        emit RootProposed(sequence, period, root, total, logHead, claimableAt);
    }

    /// @notice The root in dispute; all zero when there is none.
    function pendingRoot() public view returns (Root memory pending) {
        if (_proposed.root != bytes32(0) && block.timestamp < _proposed.claimableAt) pending = _proposed;
    }

    /// @notice The root that claims are paid from; all zero before the first.
    function claimableRoot() public view returns (Root memory) {
        bool isProposedDue = _proposed.root != bytes32(0) && block.timestamp >= _proposed.claimableAt;
        return isProposedDue ? _proposed : _settled;
    }

    /// @notice One governor's voice against the pending root, as a transaction of its own.
    function cancelRoot(uint256 pendingSequence) external {
        if (!isGovernor[msg.sender]) revert NotGovernor(msg.sender);
        _requirePending(pendingSequence);
        _supportCancel(pendingSequence, msg.sender);
        if (cancelCount[pendingSequence] >= threshold) _cancel(pendingSequence);
    }

    /// @notice Cancels the pending root with governors' signatures over
    /// `CancelRoot(uint256 sequence,uint256 period,bytes32 root)`; anybody may bring them. Voices that came
    /// as transactions count too.
    /// @param signers governors in strictly ascending order, so that none is counted twice
    function cancelRootBySignatures(
        uint256 pendingSequence,
        address[] calldata signers,
        bytes[] calldata signatures
    ) external {
        _requirePending(pendingSequence);
        bytes32 digest = _hashTypedDataV4(
            keccak256(abi.encode(CANCEL_ROOT_TYPEHASH, pendingSequence, _proposed.period, _proposed.root))
        );
        _requireGovernorSignatures(digest, signers, signatures);
        for (uint256 i = 0; i < signers.length; i++) _supportCancel(pendingSequence, signers[i]);
        if (cancelCount[pendingSequence] < threshold) revert BelowThreshold(cancelCount[pendingSequence]);
        _cancel(pendingSequence);
    }

    function _requirePending(uint256 pendingSequence) private view {
        if (_proposed.root == bytes32(0) || block.timestamp >= _proposed.claimableAt) revert NothingPending();
        if (pendingSequence != sequence) revert WrongSequence(sequence);
    }

    function _supportCancel(uint256 pendingSequence, address governor) private {
        if (hasCanceled[pendingSequence][governor]) return;
        hasCanceled[pendingSequence][governor] = true;
        cancelCount[pendingSequence] += 1;
        emit CancelSupported(pendingSequence, governor);
    }

    function _cancel(uint256 pendingSequence) private {
        emit RootCanceled(pendingSequence, _proposed.period, _proposed.root);
        delete _proposed;
    }

    // ------------------------------------------------------------------ claims

    /// @notice Who receives an account's claims: the account itself until it is rotated.
    function payeeOf(address account) public view returns (address) {
        address payee = _payees[account];
        return payee == address(0) ? account : payee;
    }

    /// @notice Hands an account's claims to another key. Only the present payee may: after a rotation a
    /// stolen old key has nothing left to rotate. The leaf keeps the account.
    function rotatePayee(address account, address newPayee) external {
        if (msg.sender != payeeOf(account)) revert NotPayee(msg.sender);
        if (newPayee == address(0)) revert ZeroAddress();
        _payees[account] = newPayee;
        emit PayeeRotated(account, newPayee);
    }

    /// @notice Pays what the leaf gives beyond earlier claims, to the account's payee; anybody may send it.
    /// @return paid base units; zero when everything was claimed before
    function claim(
        address account,
        uint256 cumulativeAmount,
        bytes32[] calldata proof
    ) external returns (uint256 paid) {
        Root memory current = claimableRoot();
        // OpenZeppelin StandardMerkleTree: leaves are hashed twice, so that no node can pass as one.
        bytes32 leaf = keccak256(bytes.concat(keccak256(abi.encode(account, cumulativeAmount))));
        if (current.root == bytes32(0) || !MerkleProof.verifyCalldata(proof, current.root, leaf))
            revert BadProof();
        uint256 before = claimedOf[account];
        if (cumulativeAmount <= before) return 0;
        paid = cumulativeAmount - before;
        // A tree that holds more than the total it was proposed with still pays no more than that total.
        if (totalClaimed + paid > current.total) revert AboveTotal(current.total);
        claimedOf[account] = cumulativeAmount;
        totalClaimed += paid;
        address payee = payeeOf(account);
        emit Claimed(account, payee, paid, cumulativeAmount);
        token.safeTransfer(payee, paid);
    }

    // ------------------------------------------------------------------ the settler

    /// @notice Names the first settler, once, by the deployer.
    function initializeSettler(address newSettler) external {
        if (msg.sender != _deployer) revert NotDeployer(msg.sender);
        if (settler != address(0)) revert SettlerAlreadySet();
        _setSettler(newSettler);
    }

    /// @notice Changes the settler with M governors' signatures over
    /// `RotateSettler(address newSettler,uint256 nonce)`.
    function rotateSettler(
        address newSettler,
        address[] calldata signers,
        bytes[] calldata signatures
    ) external {
        bytes32 digest = _hashTypedDataV4(
            keccak256(abi.encode(ROTATE_SETTLER_TYPEHASH, newSettler, settlerNonce))
        );
        _requireGovernorSignatures(digest, signers, signatures);
        if (signers.length < threshold) revert BelowThreshold(signers.length);
        settlerNonce += 1;
        _setSettler(newSettler);
    }

    function _setSettler(address newSettler) private {
        if (newSettler == address(0)) revert ZeroAddress();
        settler = newSettler;
        emit SettlerChanged(newSettler);
    }

    function _requireGovernorSignatures(
        bytes32 digest,
        address[] calldata signers,
        bytes[] calldata signatures
    ) private view {
        if (signers.length != signatures.length) revert BelowThreshold(signatures.length);
        for (uint256 i = 0; i < signers.length; i++) {
            if (i > 0 && signers[i] <= signers[i - 1]) revert SignersNotAscending();
            if (!isGovernor[signers[i]]) revert NotGovernor(signers[i]);
            // ECDSA, or ERC-1271 for a governor that is a contract.
            if (!SignatureChecker.isValidSignatureNowCalldata(signers[i], digest, signatures[i]))
                revert BadSignature(signers[i]);
        }
    }

    /// @notice The EIP-712 domain separator, for wallets and tests.
    // solhint-disable-next-line func-name-mixedcase
    function DOMAIN_SEPARATOR() external view returns (bytes32) {
        return _domainSeparatorV4();
    }
}
